// The pickle reader on programs worked out by hand from the opcodes' documentation (Python's pickletools).

#include "io/pickle.h"

#include <gtest/gtest.h>

#include <random>

#include "brainquant/support/error.h"
#include "support/error_message.h"

namespace brainquant {
namespace {

using testing::expect_contains;
using testing::message_of;
using namespace std::string_literals;

PickleValue read(const std::string& program) { return read_pickle("\x80\x02" + program, "file.pt", "data.pkl"); }

std::string fault_of(const std::string& program) {
  return message_of<FormatError>([&] { read(program); });
}

std::string text(const std::string& value) { return "X"s + static_cast<char>(value.size()) + "\0\0\0"s + value; }

TEST(Pickle, ReadsPlainValues) {
  EXPECT_EQ(read("N.").kind(), PickleValue::Kind::none);
  EXPECT_TRUE(*read("\x88.").if_bool());
  EXPECT_FALSE(*read("\x89.").if_bool());
  EXPECT_EQ(*read("K\xff.").if_int(), 255);
  EXPECT_EQ(*read("M\xff\xff.").if_int(), 65535);
  EXPECT_EQ(*read("J\xfe\xff\xff\xff.").if_int(), -2);
  EXPECT_EQ(*read("\x8a\0."s).if_int(), 0);
  EXPECT_EQ(*read("\x8a\1\x80.").if_int(), -128);
  EXPECT_EQ(*read("\x8a\5\0\0\0\0\1."s).if_int(), std::int64_t{1} << 32);
  EXPECT_EQ(*read("\x8a\x08\0\0\0\0\0\0\0\x80."s).if_int(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(read("\x8a\x09\0\0\0\0\0\0\0\0\1."s).if_opaque()->name, "int");
  EXPECT_EQ(*read("G\x3f\xf8\0\0\0\0\0\0."s).if_double(), 1.5);
  EXPECT_EQ(*read(text("h\xc3\xa9") + ".").if_string(), "h\xc3\xa9");
  EXPECT_EQ(*read("C\2\xff\0."s).if_bytes(), "\xff\0"s);
}

TEST(Pickle, ReadsContainersAndSharedValues) {
  // {'a': [1, 2], 'b': (the same list, None)}
  const PickleValue root = read("}(" + text("a") + "]q\1(K\1K\2e" + text("b") + "h\1N\x86u.");
  ASSERT_EQ(root.if_dict()->size(), 2U);
  const PickleValue& a = *root.find("a");
  ASSERT_EQ(a.if_list()->size(), 2U);
  EXPECT_EQ(*(*a.if_list())[1].if_int(), 2);
  const PickleValue& b = *root.find("b");
  ASSERT_EQ(b.if_tuple()->size(), 2U);
  EXPECT_EQ((*b.if_tuple())[0].if_list(), a.if_list());
  EXPECT_EQ(root.find("c"), nullptr);
}

TEST(Pickle, DecodesBytesOfProtocol2) {
  EXPECT_EQ(*read("c_codecs\nencode\n" + text("a\xc3\xbf") + text("latin1") + "\x86R.").if_bytes(), "a\xff");
  expect_contains(fault_of("c_codecs\nencode\n" + text("\xc4\x80") + text("latin1") + "\x86R."), "_codecs.encode");
  expect_contains(fault_of("c_codecs\nencode\n" + text("a") + text("zip") + "\x86R."), "_codecs.encode");
}

TEST(Pickle, KeepsReferencesToUnknownGlobalsWithoutCallingThem) {
  const PickleValue value = read("cposix\nsystem\n.");
  ASSERT_NE(value.if_opaque(), nullptr);
  EXPECT_EQ(value.if_opaque()->name, "posix.system");
  EXPECT_EQ(value.description(), "a reference to posix.system");
  const std::string message = fault_of("cposix\nsystem\n" + text("true") + "\x85R.");
  expect_contains(message, "file.pt: data.pkl byte ");
  expect_contains(message, "posix.system");
}

TEST(Pickle, RefusesDamagedPrograms) {
  expect_contains(fault_of(""), "ends too early");
  expect_contains(fault_of("N"), "ends too early");
  expect_contains(fault_of("."), "nothing on the stack");
  expect_contains(fault_of("NN."), "left over");
  expect_contains(fault_of("(N."), "left over");
  expect_contains(fault_of("X\xff\xff\xff\xff"
                           "abc."),
                  "ends too early");
  expect_contains(fault_of("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                           "abc."),
                  "ends too early");
  expect_contains(fault_of("\x8b\xff\xff\xff\x7f."), "ends too early");
  expect_contains(fault_of("h\7."), "memo entry 7");
  expect_contains(fault_of("t."), "no mark");
  expect_contains(fault_of("K\1(a."), "nothing on the stack");
  expect_contains(fault_of("K\1K\2a."), "no list");
  expect_contains(fault_of("]K\1K\2s."), "no dict");
  expect_contains(fault_of("}(K\1u."), "without a value");
  expect_contains(fault_of("NK\1\x85R."), "calls None");
  expect_contains(fault_of("X\1\0\0\0\xff."s), "not UTF-8");
  expect_contains(fault_of("X\2\0\0\0\xc0\x80."s), "not UTF-8");
  expect_contains(fault_of("X\3\0\0\0\xed\xa0\x80."s), "not UTF-8");
  expect_contains(fault_of("c" + std::string(100000, 'a') + "\nb\n."), "too long");
  expect_contains(fault_of("\x82\1."), "0x82");
  expect_contains(fault_of(text("storage") + "Q."), "persistent id");
  expect_contains(fault_of("}(" + text("k") + "K\1" + text("k") + "K\2u."), "'k' twice");
  expect_contains(fault_of("}(K\5K\1K\5K\2u."), "twice");
  expect_contains(message_of<FormatError>([] { read_pickle("\x80\x06N.", "f", "p"); }), "protocol");
}

TEST(Pickle, RefusesValuesThatHoldThemselvesOrLieTooDeep) {
  expect_contains(fault_of("]q\1h\1a."), "hold themselves");
  expect_contains(fault_of("}q\1" + text("me") + "h\1s."), "hold themselves");
  EXPECT_EQ(read("]q\1h\1a0N.").kind(), PickleValue::Kind::none);  // dropped before the end
  const auto nested = [](std::size_t levels) { return std::string(levels, ']') + std::string(levels - 1, 'a') + "."; };
  EXPECT_NE(read(nested(64)).if_list(), nullptr);
  expect_contains(fault_of(nested(65)), "deeper than 64");
  expect_contains(fault_of(nested(500'000)), "deeper than 64");
  expect_contains(fault_of(")" + std::string(500'000, '\x85') + "."), "deeper than 64");
  expect_contains(fault_of(std::string(500'000, ']')), "ends too early");
  // Each list holds the one before twice: 2^60 paths, 60 containers.
  std::string twice = "]q\1";
  for (int i = 0; i < 60; ++i) twice += "0](h\1h\1eq\1";
  EXPECT_EQ(read(twice + ".").if_list()->size(), 2U);
}

TEST(Pickle, RefusesSmallProgramsThatCopyMuch) {
  std::string program =
      "X" + "\0\0\1\0"s + std::string(65536, 'a') + "q\1" + text("latin1") + "q\2c_codecs\nencode\nq\3(";
  for (int i = 0; i < 1000; ++i) program += "h\3h\1h\2\x86R";
  expect_contains(fault_of(program + "t."), "copy far more");
}

TEST(Pickle, FieldsNameWhatIsWrong) {
  const PickleValue root = PickleValue::dict(
      {{"a", PickleValue::dict({{"n", 7}, {"s", "text"}, {"x", 0.5}})}, {"l", PickleValue::list({1, 2})}});
  const PickleField field(root, "file.pt", "");
  EXPECT_EQ(field.at("a").at("n").as_int(7, 7), 7);
  EXPECT_EQ(field.at("a").at("n").as_double(), 7.0);
  EXPECT_EQ(field.at("a").at("x").as_double(), 0.5);
  EXPECT_EQ(field.at("l").items()[1].as_int(), 2);
  EXPECT_EQ(field.at("a").entries()[1].first, "s");
  const auto fault = [](auto call) { return message_of<FormatError>(call); };
  EXPECT_EQ(fault([&] { field.at("a").at("m"); }), "file.pt: a.m: is missing");
  EXPECT_EQ(fault([&] { field.at("a").at("s").as_int(); }), "file.pt: a.s: found the string 'text', expected an int");
  EXPECT_EQ(fault([&] { field.at("a").at("n").as_int(0, 6); }),
            "file.pt: a.n: found the int 7, expected an int from 0 to 6");
  EXPECT_EQ(fault([&] { field.at("l").items()[0].as_string(); }), "file.pt: l[0]: found the int 1, expected a string");
  EXPECT_EQ(fault([&] { field.at("l").at("x"); }), "file.pt: l: found a list of 2, expected a dict");
  EXPECT_EQ(fault([&] { field.as_tensor(); }), "file.pt: found a dict of 2, expected a tensor");
}

TEST(PickleWriter, RefusesWhatTheFormatCannotHold) {
  expect_contains(message_of<UsageError>([] { write_pickle("\xff"); }), "UTF-8");
  expect_contains(message_of<UsageError>([] { write_pickle(PickleValue::bytes("a")); }), "bytes");
  expect_contains(message_of<UsageError>([] { write_pickle(PickleValue::opaque({.name = "x"})); }), "type x");
}

// Random programs, most of them made of valid instructions: each is read or refused, within bounds.
TEST(Pickle, SurvivesRandomPrograms) {
  std::mt19937 random(20);
  const std::string opcodes =
      "(.012NJKMGXBC]lae)t}"
      "dsuRbQqrhjcio\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96";
  int finished = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string program;
    const std::size_t length = 1 + random() % 40;
    while (program.size() < length) {
      if (random() % 3 != 0) {
        program += opcodes[random() % opcodes.size()];
      } else {
        program += random() % 2 ? static_cast<char>(random() % 4) : static_cast<char>(random());
      }
      if (random() % 16 == 0) program += "ccollections\nOrderedDict\n)R";
      if (random() % 16 == 0) program += "ctorch._utils\n_rebuild_tensor_v2\n";
    }
    try {
      read(program + ".");
      ++finished;
    } catch (const FormatError&) {
    }
  }
  EXPECT_GT(finished, 100);
}

}  // namespace
}  // namespace brainquant
