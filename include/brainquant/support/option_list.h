// The options of a program, each written once: its name, its help and the field that holds its value. Flags, --help,
// the arguments for another program, run keys and the recorded configuration are all made from such a list.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "brainquant/support/enum_names.h"

namespace brainquant {

/// Nothing (not given and without a default), a switch, a number, a text, or several texts.
using OptionValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>>;

/// "true", "3", "0.5", "text", "a,b"; "" for nothing and for an empty list.
std::string text_of(const OptionValue& value);

/// What an option decides: whether two runs that differ in it may share results, and which.
enum class Decides {
  model,     // the quantized file's bytes
  decoding,  // which trials are decoded, their logits or their times
  words,     // the sentences
  place      // where inputs and outputs lie, or how the program behaves; results do not depend on it
};

struct Option {
  std::string name;  // of the field, and of the flag behind its "--"
  std::string help;
  std::string type;                  // "PATH", "INT", "FLOAT" or "TEXT"; "" for a switch
  std::vector<std::string> choices;  // empty: any value
  bool required = false;
  bool takes_several = false;  // separated by commas
  std::string value_alone;     // what the flag without a value means; "": it needs one
  Decides decides = Decides::place;
  OptionValue default_value;
  std::function<OptionValue()> value;                   // what the field holds
  std::function<void(const std::string&)> set;          // throws UsageError naming the option
  std::function<bool()> applies = [] { return true; };  // false where other options leave it no meaning
  std::string tag = "{}";                               // of a value in a file name: "n{}" makes "n200"
  std::function<std::string()> tag_text;                // that value, where its own text does not suit a file name

  /// What the option comes to and what its default would, once other options are considered; nothing where it does not
  /// apply.
  OptionValue effective_value() const { return applies() ? meaning() : OptionValue(); }
  OptionValue effective_default() const { return applies() ? default_meaning() : OptionValue(); }
  std::function<OptionValue()> meaning;  // of these two where the option applies
  std::function<OptionValue()> default_meaning;

  bool is_switch() const { return type.empty(); }
  bool is_changed() const { return effective_value() != effective_default(); }

  // For lists that read like a table.
  Option& alone_means(std::string text) { return value_alone = std::move(text), *this; }
  Option& is_required() { return required = true, *this; }
  Option& with_choices(std::vector<std::string> names) { return choices = std::move(names), *this; }
  Option& that_decides(Decides what) { return decides = what, *this; }
  Option& with_tag(std::string format) { return tag = std::move(format), *this; }
  Option& with_tag(std::string format, std::function<std::string()> text) {
    return tag_text = std::move(text), with_tag(std::move(format));
  }
  Option& that_applies_if(std::function<bool()> condition) { return applies = std::move(condition), *this; }
  /// For an option whose default depends on others.
  Option& that_comes_to(std::function<OptionValue()> value_meant, std::function<OptionValue()> default_meant) {
    return meaning = std::move(value_meant), default_meaning = std::move(default_meant), *this;
  }
};

namespace option {

// How a field's type is read from and turned into an option's value.
OptionValue value_of(bool field);
OptionValue value_of(const std::string& field);
OptionValue value_of(const std::filesystem::path& field);
OptionValue value_of(const std::vector<std::string>& field);
template <std::integral Field>
requires(!std::same_as<Field, bool>) OptionValue value_of(Field field) { return static_cast<std::int64_t>(field); }
template <std::floating_point Field>
OptionValue value_of(Field field) {
  return static_cast<double>(field);
}
template <typename Enum>
requires std::is_enum_v<Enum> OptionValue value_of(Enum field) { return enum_name(field); }
template <typename Field>
OptionValue value_of(const std::optional<Field>& field) {
  return field ? value_of(*field) : OptionValue();
}

void read(const std::string& name, const std::string& text, bool& field);
void read(const std::string& name, const std::string& text, std::string& field);
void read(const std::string& name, const std::string& text, std::filesystem::path& field);
void read(const std::string& name, const std::string& text, std::vector<std::string>& field);
void read(const std::string& name, const std::string& text, int& field);
void read(const std::string& name, const std::string& text, std::int64_t& field);
void read(const std::string& name, const std::string& text, double& field);
void read(const std::string& name, const std::string& text, float& field);
template <typename Enum>
requires std::is_enum_v<Enum>
void read(const std::string& name, const std::string& text, Enum& field) {
  field = parse_enum<Enum>("--" + name, text);
}
template <typename Field>
void read(const std::string& name, const std::string& text, std::optional<Field>& field) {
  Field value{};
  read(name, text, value);
  field = value;
}

template <typename Field>
struct Traits {
  using Value = Field;
};
template <typename Field>
struct Traits<std::optional<Field>> {
  using Value = Field;
};

template <typename Field>
void describe(Option& option) {
  using Value = typename Traits<Field>::Value;
  if constexpr (std::same_as<Value, bool>) {
    option.type = "";
  } else if constexpr (std::is_enum_v<Value>) {
    option.type = "TEXT";
    for (const auto& [value, name] : enum_names<Value>()) option.choices.push_back(name);
  } else if constexpr (std::integral<Value>) {
    option.type = "INT";
  } else if constexpr (std::floating_point<Value>) {
    option.type = "FLOAT";
  } else if constexpr (std::same_as<Value, std::filesystem::path>) {
    option.type = "PATH";
  } else {
    option.type = "TEXT";
    option.takes_several = std::same_as<Value, std::vector<std::string>>;
  }
}

}  // namespace option

/// In the order in which --help shows the options. Holds references to the fields, which must outlive it.
class OptionList {
 public:
  /// The value that `field` has now is the default.
  template <typename Field>
  Option& add(std::string name, Field& field, std::string help) {
    Option added;
    added.name = std::move(name);
    added.help = std::move(help);
    option::describe<Field>(added);
    added.default_value = option::value_of(field);
    added.value = [&field] { return option::value_of(field); };
    added.meaning = added.value;
    added.default_meaning = [value = added.default_value] { return value; };
    added.set = [&field, flag = added.name](const std::string& text) { option::read(flag, text, field); };
    options_.push_back(std::move(added));
    return options_.back();
  }
  void add(OptionList others);

  /// Without the options named.
  OptionList without(const std::vector<std::string>& names) const;
  /// Only the options named, in the list's order.
  OptionList only(const std::vector<std::string>& names) const;

  const std::vector<Option>& options() const { return options_; }
  /// Throws UsageError if there is none.
  const Option& at(const std::string& name) const;

  /// "--name value" for every option that applies and holds something, for another program.
  std::vector<std::string> arguments() const;
  /// Name and effective value of every option.
  std::vector<std::pair<std::string, OptionValue>> values() const;
  /// The same of those that decide `what`.
  std::vector<std::pair<std::string, OptionValue>> values_that_decide(Decides what) const;
  /// "-TAG" for every changed option that decides `what`: "-histogram-n200"; "" when all are as by default.
  std::string suffix(Decides what) const;

 private:
  std::vector<Option> options_;
};

}  // namespace brainquant
