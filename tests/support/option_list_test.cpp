#include "brainquant/support/option_list.h"

#include <gtest/gtest.h>

#include "brainquant/support/error.h"

namespace brainquant {

enum class Colour { red, green };

template <>
std::span<const EnumName<Colour>> enum_names() {
  static constexpr EnumName<Colour> kNames[] = {{Colour::red, "red"}, {Colour::green, "green"}};
  return kNames;
}

namespace {

struct Fields {
  std::filesystem::path folder = "here";
  Colour colour = Colour::red;
  std::optional<double> beam;
  std::vector<std::string> sessions;
  std::int64_t count = 1000;
  bool fast = false;
};

OptionList list_of(Fields& fields) {
  OptionList list;
  list.add("folder", fields.folder, "a folder").is_required();
  list.add("colour", fields.colour, "a colour").that_decides(Decides::model);
  list.add("beam", fields.beam, "a width");
  list.add("sessions", fields.sessions, "some sessions");
  list.add("count", fields.count, "a number").that_decides(Decides::model).with_tag("n{}");
  list.add("fast", fields.fast, "a switch");
  return list;
}

TEST(OptionList, TypesChoicesAndDefaultsComeFromTheFields) {
  Fields fields;
  const OptionList list = list_of(fields);
  EXPECT_EQ(list.at("folder").type, "PATH");
  EXPECT_EQ(list.at("colour").choices, (std::vector<std::string>{"red", "green"}));
  EXPECT_EQ(text_of(list.at("colour").default_value), "red");
  EXPECT_EQ(text_of(list.at("beam").default_value), "");
  EXPECT_EQ(list.at("beam").type, "FLOAT");
  EXPECT_EQ(list.at("count").type, "INT");
  EXPECT_TRUE(list.at("sessions").takes_several);
  EXPECT_TRUE(list.at("fast").is_switch());
  EXPECT_THROW(list.at("speed"), UsageError);
}

TEST(OptionList, SettingReadsTheFieldsAndRefusesNonsense) {
  Fields fields;
  const OptionList list = list_of(fields);
  list.at("colour").set("green");
  list.at("beam").set("3.5");
  list.at("sessions").set("a,b");
  list.at("count").set("-7");
  list.at("fast").set("true");
  EXPECT_EQ(fields.colour, Colour::green);
  EXPECT_EQ(fields.beam, 3.5);
  EXPECT_EQ(fields.sessions, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(fields.count, -7);
  EXPECT_TRUE(fields.fast);
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{{"colour", "blue"},
                                                                                   {"beam", "wide"},
                                                                                   {"count", "1.5"},
                                                                                   {"count", "9999999999999999999"},
                                                                                   {"count", ""},
                                                                                   {"fast", "maybe"}}) {
    try {
      list.at(name).set(text);
      FAIL() << name << " took " << text;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("--" + name), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("'" + text + "'"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(fields.count, -7);
}

TEST(OptionList, ArgumentsGiveAnotherProgramTheSameValues) {
  Fields fields;
  const OptionList list = list_of(fields);
  fields.beam = 0.1;
  fields.sessions = {"a", "b"};
  fields.fast = true;
  EXPECT_EQ(list.arguments(), (std::vector<std::string>{"--folder", "here", "--colour", "red", "--beam", "0.1",
                                                        "--sessions", "a,b", "--count", "1000", "--fast"}));
  EXPECT_EQ(list.only({"count", "fast"}).arguments(), (std::vector<std::string>{"--count", "1000", "--fast"}));
  EXPECT_EQ(list.without({"folder", "colour", "beam", "sessions", "count"}).arguments(),
            (std::vector<std::string>{"--fast"}));
}

TEST(OptionList, ArgumentsLeaveOutWhatDoesNotApply) {
  std::string method = "dynamic";
  std::int64_t samples = 1000;
  OptionList list;
  list.add("method", method, "a method");
  list.add("samples", samples, "a number").that_applies_if([&] { return method == "static"; });
  EXPECT_EQ(list.arguments(), (std::vector<std::string>{"--method", "dynamic"}));
  method = "static";
  EXPECT_EQ(list.arguments(), (std::vector<std::string>{"--method", "static", "--samples", "1000"}));
}

TEST(OptionList, SuffixNamesWhatIsNotByDefault) {
  Fields fields;
  const OptionList list = list_of(fields);
  fields.fast = true;  // decides nothing
  EXPECT_EQ(list.suffix(Decides::model), "");
  fields.count = 200;
  EXPECT_EQ(list.suffix(Decides::model), "-n200");
  fields.colour = Colour::green;
  EXPECT_EQ(list.suffix(Decides::model), "-green-n200");
}

}  // namespace
}  // namespace brainquant
