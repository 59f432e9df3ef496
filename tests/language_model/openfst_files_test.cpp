// Graph files: what OpenFst wrote is read the same in every format, and what is damaged is refused with file and field.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "language_model/fst_file.h"
#include "language_model/fst_writer.h"
#include "language_model/wfst_case.h"
#include "language_model/word_table.h"

namespace brainquant {
namespace {

using test::TinyHeader;
using test::TinyState;

std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(BRAINQUANT_FIXTURES) / "wfst" / name / "TLG.fst";
}

/// The graph as OpenFst's own printer lists it: "FROM TO IN OUT WEIGHT" and "STATE WEIGHT" lines, start state first.
/// Weights of 0 are not printed.
std::string printed(const FstFile& fst) {
  std::ostringstream text;
  text.precision(9);
  const auto weight = [&](float w) {
    if (w != 0.0F) text << '\t' << w;
  };
  const auto print_state = [&](std::int32_t s) {
    const FstState& state = fst.state(s);
    for (std::uint32_t i = 0; i < state.arcs; ++i) {
      const FstArc& arc = fst.arcs(state)[i];
      text << s << '\t' << arc.next << '\t' << arc.input << '\t' << arc.output;
      weight(arc.weight);
      text << '\n';
    }
    if (state.final_weight != std::numeric_limits<float>::infinity()) {
      text << s;
      weight(state.final_weight);
      text << '\n';
    }
  };
  print_state(fst.start());
  for (std::int32_t s = 0; s < fst.num_states(); ++s) {
    if (s != fst.start()) print_state(s);
  }
  return text.str();
}

class OpenFstFormats : public testing::TestWithParam<const char*> {};

TEST_P(OpenFstFormats, ReadsWhatOpenFstPrints) {
  const FstFile fst(fixture(GetParam()));
  fst.check({.max_input = kGraphClasses});
  EXPECT_GT(fst.num_states(), 100);
  EXPECT_EQ(printed(fst), bytes_of(fixture(GetParam()).parent_path() / "printed.txt"));
  EXPECT_EQ(fst.mapped(), std::string(GetParam()) == "const_aligned");
}

INSTANTIATE_TEST_SUITE_P(Files, OpenFstFormats, testing::Values("case5", "const", "const_aligned", "with_symbols"));

/// What a call's FormatError says; empty if it throws none.
template <typename Call>
std::string complaint(const Call& call) {
  try {
    call();
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

std::string complaint_about(const std::string& bytes, const FstLimits& limits = {}) {
  const ScratchFolder folder;
  write_bytes(folder / "TLG.fst", bytes);
  const std::string text = complaint([&] { FstFile(folder / "TLG.fst").check(limits); });
  EXPECT_TRUE(text.empty() || text.find("TLG.fst") != std::string::npos) << text;
  return text;
}

const std::vector<TinyState> kGood = {{test::kNotFinal, {{1, 1, 0.5F, 1}, {0, 0, 0.0F, 1}}}, {0.0F, {{2, 0, 0.0F, 1}}}};

TEST(OpenFstDamage, TruncatedAnywhere) {
  for (const char* name : {"case5", "const", "const_aligned", "with_symbols"}) {
    const std::string whole = bytes_of(fixture(name));
    ASSERT_EQ(complaint_about(whole), "");
    for (std::size_t size = 0; size < whole.size(); size += 1 + size / 7) {
      EXPECT_NE(complaint_about(whole.substr(0, size)), "") << name << " cut to " << size;
    }
    EXPECT_NE(complaint_about(whole.substr(0, whole.size() - 1)), "") << name;
  }
}

TEST(OpenFstDamage, FlippedBytesNeverCrash) {
  const ScratchFolder folder;
  for (const char* name : {"case5", "const", "const_aligned"}) {
    const std::string whole = bytes_of(fixture(name));
    for (std::size_t at = 0; at < whole.size(); at += at < 128 ? 1 : 997) {
      for (const unsigned char flip : {0x01, 0x80, 0xFF}) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ flip);
        complaint_about(damaged, {.max_input = kGraphClasses});
      }
    }
  }
}

TEST(OpenFstDamage, Headers) {
  EXPECT_EQ(complaint_about(test::vector_fst(kGood)), "");
  const auto about = [](const auto& change) {
    TinyHeader header;
    change(header);
    return complaint_about(test::vector_fst(kGood, header));
  };
  EXPECT_NE(about([](TinyHeader& h) { h.type = "compact_string"; }).find("header, type"), std::string::npos);
  EXPECT_NE(about([](TinyHeader& h) { h.arc_type = "log"; }).find("arc type"), std::string::npos);
  EXPECT_NE(about([](TinyHeader& h) { h.version = 3; }).find("version"), std::string::npos);
  EXPECT_NE(about([](TinyHeader& h) { h.start = -1; }).find("no start state"), std::string::npos);
  EXPECT_NE(about([](TinyHeader& h) { h.start = 2; }).find("start state 2"), std::string::npos);
  EXPECT_NE(about([](TinyHeader& h) { h.states = 1 << 30; }).find("header, states"), std::string::npos);
  EXPECT_NE(about([](TinyHeader& h) { h.states = std::int64_t{1} << 40; }), "");
  EXPECT_NE(complaint_about("ngram model"), "");
  EXPECT_NE(complaint_about(""), "");
  EXPECT_NE(complaint_about(test::header_bytes({.states = 0}).text()).find("no start state"), std::string::npos);
}

TEST(OpenFstDamage, ConstFilesThatClaimTooMuch) {
  const auto const_fst = [](std::int64_t states, std::int64_t arcs, std::uint32_t first_arc, std::uint32_t state_arcs) {
    test::Bytes bytes = test::header_bytes({.type = "const", .version = 1, .states = states, .arcs = arcs});
    bytes.align().add(0.0F).add(first_arc).add(state_arcs).add(0U).add(0U);
    return bytes.align().add(test::TinyArc{1, 1, 0.0F, 0}).text();
  };
  EXPECT_EQ(complaint_about(const_fst(1, 1, 0, 1)), "");
  EXPECT_NE(complaint_about(const_fst(1, 2, 0, 1)).find("arcs"), std::string::npos);
  EXPECT_NE(complaint_about(const_fst(1, -1, 0, 1)).find("arcs"), std::string::npos);
  EXPECT_NE(complaint_about(const_fst(1, std::int64_t{1} << 60, 0, 1)).find("arcs"), std::string::npos);
  EXPECT_NE(complaint_about(const_fst(1000, 1, 0, 1)).find("states"), std::string::npos);
  EXPECT_NE(complaint_about(const_fst(1, 1, 0, 2)).find("outside"), std::string::npos);
  EXPECT_NE(complaint_about(const_fst(1, 1, 0xFFFFFFFF, 2)).find("outside"), std::string::npos);
}

TEST(OpenFstDamage, StatesAndArcs) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto about = [](const auto& change, const FstLimits& limits = {}) {
    std::vector<TinyState> states = kGood;
    change(states);
    return complaint_about(test::vector_fst(states), limits);
  };
  using States = std::vector<TinyState>;
  EXPECT_NE(about([](States& s) { s[0].arcs[0].next = 2; }).find("state 2"), std::string::npos);
  EXPECT_NE(about([](States& s) { s[0].arcs[0].next = -1; }).find("state -1"), std::string::npos);
  EXPECT_NE(about([](States& s) { s[0].arcs[0].input = 42; }, {.max_input = 41}).find("input label 42"),
            std::string::npos);
  EXPECT_NE(about([](States& s) { s[0].arcs[0].input = -1; }).find("input label -1"), std::string::npos);
  EXPECT_NE(about([](States& s) { s[0].arcs[0].output = 9; }, {.max_output = 8}).find("output label 9"),
            std::string::npos);
  EXPECT_NE(about([&](States& s) { s[0].arcs[0].weight = nan; }).find("weight nan"), std::string::npos);
  EXPECT_NE(about([&](States& s) { s[0].arcs[0].weight = -infinity; }).find("weight -inf"), std::string::npos);
  EXPECT_NE(about([&](States& s) { s[1].final_weight = nan; }).find("final weight nan"), std::string::npos);
  EXPECT_EQ(about([&](States& s) { s[0].arcs[0].weight = infinity; }), "");
}

TEST(OpenFstDamage, EpsilonLoops) {
  const auto about = [](std::vector<TinyState> states) { return complaint_about(test::vector_fst(states)); };
  EXPECT_NE(about({{0.0F, {{0, 0, 0.5F, 0}}}}).find("loops"), std::string::npos);
  EXPECT_NE(about({{0.0F, {{0, 1, -1.0F, 1}}}, {0.0F, {{1, 0, 0.0F, 0}, {0, 0, 0.5F, 2}}}, {0.0F, {{0, 0, 0.0F, 0}}}})
                .find("loops"),
            std::string::npos);
  EXPECT_EQ(about({{0.0F, {{0, 0, 0.0F, 1}, {0, 0, 0.0F, 2}}}, {0.0F, {{0, 0, 0.0F, 2}}}, {0.0F, {{1, 0, 0.0F, 0}}}}),
            "");
}

TEST(OpenFstDamage, TheGraphsWordsMustBeNamed) {
  const ScratchFolder folder;
  write_bytes(folder / "TLG.fst", test::vector_fst(kGood));
  write_bytes(folder / "words.txt", "<eps> 0\nyes 1\n");
  EXPECT_EQ(complaint([&] { WfstGraph graph(folder.path()); }), "");
  write_bytes(folder / "words.txt", "<eps> 0\n");
  EXPECT_NE(complaint([&] { WfstGraph graph(folder.path()); }).find("output label 1"), std::string::npos);
  write_bytes(folder / "words.txt", "<eps> 0\nfar 7\n");
  EXPECT_NE(complaint([&] { WfstGraph graph(folder.path()); }).find("output label 1"), std::string::npos);
  write_bytes(folder / "TLG.fst", test::vector_fst({{0.0F, {{42, 1, 0.0F, 0}}}}));
  write_bytes(folder / "words.txt", "<eps> 0\nyes 1\n");
  EXPECT_NE(complaint([&] { WfstGraph graph(folder.path()); }).find("input label 42"), std::string::npos);
  std::filesystem::remove(folder / "TLG.fst");
  EXPECT_THROW(WfstGraph(folder.path()), FileError);
}

TEST(WordTable, ReadsWordsInAnyOrder) {
  const ScratchFolder folder;
  write_bytes(folder / "words.txt", "yes\t2\r\n<eps> 0\n\n#0 3\n</s>  5 \nno 1\n");
  const WordTable words(folder / "words.txt");
  EXPECT_EQ(words.max_id(), 5);
  EXPECT_EQ(words.word(2), "yes");
  EXPECT_EQ(words.word(4), "");
  EXPECT_EQ(words.find("no"), 1);
  EXPECT_EQ(words.find("maybe"), std::nullopt);
  for (const std::int32_t id : {0, 3, 5}) EXPECT_TRUE(words.special(id)) << id;
  for (const std::int32_t id : {1, 2}) EXPECT_FALSE(words.special(id)) << id;
}

TEST(WordTable, RefusesWhatIsNoTable) {
  const ScratchFolder folder;
  const auto about = [&](const std::string& text) {
    write_bytes(folder / "words.txt", text);
    return complaint([&] { WordTable words(folder / "words.txt"); });
  };
  EXPECT_NE(about("<eps> 0\nyes\n").find("line 2"), std::string::npos);
  EXPECT_NE(about("<eps> 0\nyes one\n").find("line 2"), std::string::npos);
  EXPECT_NE(about("<eps> 0\nyes 1 2\n").find("line 2"), std::string::npos);
  EXPECT_NE(about("<eps> 0\nyes -1\n").find("id -1"), std::string::npos);
  EXPECT_NE(about("<eps> 0\nyes 99999999999\n").find("99999999999"), std::string::npos);
  EXPECT_NE(about("<eps> 0\nyes 1\nno 1\n").find("second word"), std::string::npos);
  EXPECT_NE(about("yes 0\n").find("<eps>"), std::string::npos);
  EXPECT_NE(about("").find("<eps>"), std::string::npos);
}

}  // namespace
}  // namespace brainquant
