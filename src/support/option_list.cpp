#include "brainquant/support/option_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {

template <typename Number>
void read_number(const std::string& name, const std::string& text, Number& field, const char* expected) {
  Number value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) {
    throw UsageError(fmt::format("--{}: found '{}', expected {}", name, text, expected));
  }
  field = value;
}

}  // namespace

void refuse_name(std::string_view what, std::string_view text, const std::vector<std::string>& expected) {
  throw UsageError(fmt::format("{}: found '{}', expected one of {}", what, text, fmt::join(expected, ", ")));
}

void refuse_enumerator(int value) { throw UsageError(fmt::format("no name for enumerator {}", value)); }

namespace option {

OptionValue value_of(bool field) { return field; }
OptionValue value_of(const std::string& field) { return field; }
OptionValue value_of(const std::filesystem::path& field) { return field.string(); }
OptionValue value_of(const std::vector<std::string>& field) { return field; }

void read(const std::string& name, const std::string& text, bool& field) {
  if (text != "true" && text != "false") {
    throw UsageError(fmt::format("--{}: found '{}', expected true or false", name, text));
  }
  field = text == "true";
}
void read(const std::string& /*name*/, const std::string& text, std::string& field) { field = text; }
void read(const std::string& /*name*/, const std::string& text, std::filesystem::path& field) { field = text; }
void read(const std::string& /*name*/, const std::string& text, std::vector<std::string>& field) {
  field.clear();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) field.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}
void read(const std::string& name, const std::string& text, int& field) {
  read_number(name, text, field, "a whole number");
}
void read(const std::string& name, const std::string& text, std::int64_t& field) {
  read_number(name, text, field, "a whole number");
}
void read(const std::string& name, const std::string& text, double& field) {
  read_number(name, text, field, "a number");
}
void read(const std::string& name, const std::string& text, float& field) {
  double value = 0;
  read(name, text, value);
  field = static_cast<float>(value);
}

}  // namespace option

std::string text_of(const OptionValue& value) {
  struct Text {
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(bool on) const { return on ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const std::vector<std::string>& texts) const {
      return fmt::format("{}", fmt::join(texts, ","));
    }
  };
  return std::visit(Text(), value);
}

void OptionList::add(OptionList others) {
  std::move(others.options_.begin(), others.options_.end(), std::back_inserter(options_));
}

OptionList OptionList::without(const std::vector<std::string>& names) const {
  OptionList rest;
  for (const Option& option : options_) {
    if (std::find(names.begin(), names.end(), option.name) == names.end()) rest.options_.push_back(option);
  }
  return rest;
}

OptionList OptionList::only(const std::vector<std::string>& names) const {
  OptionList chosen;
  for (const Option& option : options_) {
    if (std::find(names.begin(), names.end(), option.name) != names.end()) chosen.options_.push_back(option);
  }
  return chosen;
}

const Option& OptionList::at(const std::string& name) const {
  for (const Option& option : options_) {
    if (option.name == name) return option;
  }
  throw UsageError(fmt::format("there is no option --{}", name));
}

std::vector<std::string> OptionList::arguments() const {
  std::vector<std::string> result;
  for (const Option& option : options_) {
    const OptionValue value = option.value();
    const std::string text = text_of(value);
    if (!option.applies() || text.empty() || value == OptionValue(false)) continue;
    result.push_back("--" + option.name);
    if (!option.is_switch()) result.push_back(text);
  }
  return result;
}

std::vector<std::pair<std::string, OptionValue>> OptionList::values() const {
  std::vector<std::pair<std::string, OptionValue>> values;
  for (const Option& option : options_) values.emplace_back(option.name, option.effective_value());
  return values;
}

std::vector<std::pair<std::string, OptionValue>> OptionList::values_that_decide(Decides what) const {
  std::vector<std::pair<std::string, OptionValue>> values;
  for (const Option& option : options_) {
    if (option.decides == what) values.emplace_back(option.name, option.effective_value());
  }
  return values;
}

std::string OptionList::suffix(Decides what) const {
  std::string text;
  for (const Option& option : options_) {
    if (option.decides != what || !option.is_changed()) continue;
    const std::string value = option.tag_text ? option.tag_text() : text_of(option.effective_value());
    text += "-" + fmt::format(fmt::runtime(option.tag), value);
  }
  return text;
}

}  // namespace brainquant
