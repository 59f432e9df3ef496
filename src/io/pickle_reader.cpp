// A pickle is a program for a small stack machine. This one knows the instructions that make values, and no way to
// reach anything outside itself.

#include <fmt/format.h>

#include <bit>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "brainquant/support/error.h"
#include "io/pickle_check.h"
#include "io/pickle_globals.h"
#include "io/pickle_nodes.h"
#include "support/utf8.h"

namespace brainquant {

namespace {
constexpr std::size_t kMaxGlobalName = 256;
constexpr std::size_t kMaxStorageText = 64;  // a storage's key and location
}  // namespace

class PickleMachine {
 public:
  explicit PickleMachine(std::string_view bytes) : bytes_(bytes), budget_(bytes.size() * 4 + 4096) {}

  // Values may refer to each other in long chains, or in circles: taking every container apart here, while all of them
  // are still held, keeps destructors from recursing and memory from leaking.
  ~PickleMachine() {
    for (auto& sequence : sequences_) {
      if (!reachable_.contains(&sequence->items)) sequence->items.clear();
    }
    for (auto& mapping : mappings_) {
      if (!reachable_.contains(&mapping->entries)) mapping->entries.clear();
    }
  }

  PickleValue run() {
    for (;;) {
      instruction_ = at_;
      const std::optional<PickleValue> result = step(static_cast<unsigned char>(take(1)[0]));
      if (!result) continue;
      reachable_ = check_pickled_value(*result);
      return *result;
    }
  }

  std::size_t instruction() const { return instruction_; }
  const std::string& last_global() const { return last_global_; }

 private:
  using Items = PickleValue::Items;
  using Sequence = PickleValue::Sequence;
  using Mapping = PickleValue::Mapping;

  [[noreturn]] static void problem(std::string text) { throw PickleProblem{std::move(text)}; }

  // Reading the program.

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_) problem("the pickle ends too early");
    const std::string_view piece = bytes_.substr(at_, count);
    at_ += count;
    return piece;
  }

  std::uint64_t take_unsigned(int count) {
    const std::string_view piece = take(static_cast<std::uint64_t>(count));
    std::uint64_t value = 0;
    for (int i = count - 1; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(piece[static_cast<std::size_t>(i)]);
    return value;
  }

  std::string take_line() {
    const std::size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) problem("the pickle ends too early");
    if (end - at_ > kMaxGlobalName) problem("a name is too long");
    std::string line(take(end - at_));
    take(1);
    return line;
  }

  // The stack. No instruction but those that take a mark may reach below it.

  void push(PickleValue value) { stack_.push_back(std::move(value)); }

  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleValue pop() {
    PickleValue value = top();
    stack_.pop_back();
    return value;
  }

  PickleValue& top() {
    if (stack_.size() <= floor()) problem("an instruction finds nothing on the stack");
    return stack_.back();
  }

  Items pop_to_mark() {
    if (marks_.empty()) problem("an instruction finds no mark on the stack");
    const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    Items items(std::make_move_iterator(from), std::make_move_iterator(stack_.end()));
    stack_.erase(from, stack_.end());
    marks_.pop_back();
    return items;
  }

  // Containers are registered, for the destructor.

  PickleValue registered(PickleValue value) {
    if (auto* sequence = std::get_if<std::shared_ptr<Sequence>>(&value.value_)) sequences_.push_back(*sequence);
    if (auto* mapping = std::get_if<std::shared_ptr<Mapping>>(&value.value_)) mappings_.push_back(*mapping);
    return value;
  }

  void push_tuple(std::size_t count) {
    Items items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push(registered(PickleValue::tuple(std::move(items))));
  }

  void append(Items items) {
    PickleValue& target = top();
    if (is_object(target)) return;
    if (!target.if_list()) problem("something is appended to what is no list");
    Items& list = std::get<std::shared_ptr<Sequence>>(target.value_)->items;
    list.insert(list.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
  }

  void set_items(Items items) {
    if (items.size() % 2 != 0) problem("a dict has a key without a value");
    PickleValue& target = top();
    if (is_object(target)) return;
    if (!target.if_dict()) problem("a key is set in what is no dict");
    auto& entries = std::get<std::shared_ptr<Mapping>>(target.value_)->entries;
    for (std::size_t i = 0; i < items.size(); i += 2)
      entries.emplace_back(std::move(items[i]), std::move(items[i + 1]));
  }

  // An object of a class that means nothing here: what is put into it is dropped.
  static bool is_object(const PickleValue& value) { return value.if_opaque() && !value.if_opaque()->is_global; }

  // Instructions.

  void push_string(std::uint64_t size) {
    const std::string_view text = take(size);
    if (!is_utf8(text)) problem("a string is not UTF-8");
    push(PickleValue(text));
  }

  void push_big_integer(std::uint64_t size) {
    const std::string_view digits = take(size);
    if (size > 8) return push(PickleValue::opaque({.name = "int", .detail = fmt::format("{} bytes", size)}));
    std::uint64_t value = !digits.empty() && (digits.back() & 0x80) ? ~std::uint64_t{0} : 0;
    for (std::size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(digits[i]);
    push(PickleValue(static_cast<std::int64_t>(value)));
  }

  void push_real() {
    std::uint64_t bits = 0;
    for (const char c : take(8)) bits = bits << 8 | static_cast<unsigned char>(c);
    push(PickleValue(std::bit_cast<double>(bits)));
  }

  void push_global(const std::string& module, const std::string& name) {
    if (!is_utf8(module) || !is_utf8(name)) problem("a global's name is not UTF-8");
    last_global_ = canonical_global(module, name);
    push(PickleValue::opaque({.name = last_global_, .is_global = true}));
  }

  void push_stack_global() {
    const PickleValue name = pop();
    const PickleValue module = pop();
    if (!name.if_string() || !module.if_string()) problem("a global's name is no string");
    if (name.if_string()->size() > kMaxGlobalName || module.if_string()->size() > kMaxGlobalName) {
      problem("a name is too long");
    }
    push_global(*module.if_string(), *name.if_string());
  }

  void call() {
    const PickleValue arguments = pop();
    const PickleValue callee = pop();
    const PickleOpaque* global = callee.if_opaque();
    if (!global || !global->is_global) problem("calls " + callee.description());
    if (!arguments.if_tuple()) problem(fmt::format("calls {} with {}", global->name, arguments.description()));
    push(registered(call_global(global->name, *arguments.if_tuple(), budget_)));
  }

  void call_with_keywords() {
    const PickleValue keywords = pop();
    if (!keywords.if_dict() || !keywords.if_dict()->empty()) {
      pop();
      problem(fmt::format("calls {} with keywords", pop().description()));
    }
    call();
  }

  // torch.save's persistent ids: ("storage", class, key, location, number of elements).
  void push_storage() {
    const PickleValue id = pop();
    const Items* fields = id.if_tuple();
    if (!fields || fields->size() != 5) problem("a persistent id is not a storage's");
    const std::string* kind = (*fields)[0].if_string();
    const PickleOpaque* storage_class = (*fields)[1].if_opaque();
    const std::string* key = (*fields)[2].if_string();
    const std::string* location = (*fields)[3].if_string();
    const std::int64_t* elements = (*fields)[4].if_int();
    if (!kind || *kind != "storage" || !storage_class || !key || !location || !elements || *elements < 0) {
      problem("a persistent id is not a storage's");
    }
    const std::optional<TensorType> type = storage_type_of(storage_class->name);
    if (!type) problem(storage_class->name + " is no kind of storage known here");
    if (key->size() > kMaxStorageText || location->size() > kMaxStorageText) problem("a storage's name is too long");
    push(PickleValue::storage({*type, *key, *location, *elements}));
  }

  void remember(std::uint64_t index) { memo_[index] = top(); }

  void recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) problem(fmt::format("memo entry {} is read before it is written", index));
    push(found->second);
  }

  void build() {
    const PickleValue state = pop();
    top() = build_object(top(), state);
  }

  [[noreturn]] void refuse(unsigned char opcode) {
    if (opcode == 'i') {
      const std::string module = take_line();
      problem(fmt::format("calls {}, which is not on the list of what a checkpoint may call",
                          canonical_global(module, take_line())));
    }
    if (opcode == 'o') problem(fmt::format("calls {} in a way that a checkpoint may not", last_global_));
    problem(fmt::format("instruction {:#04x} is not one that torch.save writes{}", opcode,
                        last_global_.empty() ? "" : fmt::format(" (the last reference was to {})", last_global_)));
  }

  std::optional<PickleValue> step(unsigned char opcode) {
    switch (opcode) {
      case 0x80:  // PROTO
        if (take_unsigned(1) > 5) problem("a pickle protocol above 5");
        break;
      case 0x95:
        take(8);
        break;  // FRAME
      case '.': {
        PickleValue result = pop();
        if (!stack_.empty() || !marks_.empty()) problem("the pickle ends with values left over");
        return result;
      }
      case '(':
        marks_.push_back(stack_.size());
        break;
      case '0':
        pop();
        break;
      case '1':
        pop_to_mark();
        break;
      case '2':
        push(PickleValue(top()));
        break;
      case 'N':
        push(PickleValue());
        break;
      case 0x88:
        push(PickleValue(true));
        break;
      case 0x89:
        push(PickleValue(false));
        break;
      case 'J':
        push(PickleValue(static_cast<std::int64_t>(static_cast<std::int32_t>(take_unsigned(4)))));
        break;
      case 'K':
        push(PickleValue(static_cast<std::int64_t>(take_unsigned(1))));
        break;
      case 'M':
        push(PickleValue(static_cast<std::int64_t>(take_unsigned(2))));
        break;
      case 0x8a:
        push_big_integer(take_unsigned(1));
        break;
      case 0x8b:
        push_big_integer(take_unsigned(4));
        break;
      case 'G':
        push_real();
        break;
      case 'X':
        push_string(take_unsigned(4));
        break;
      case 0x8c:
        push_string(take_unsigned(1));
        break;
      case 0x8d:
        push_string(take_unsigned(8));
        break;
      case 'B':
        push(PickleValue::bytes(std::string(take(take_unsigned(4)))));
        break;
      case 'C':
        push(PickleValue::bytes(std::string(take(take_unsigned(1)))));
        break;
      case 0x8e:
      case 0x96:  // BYTEARRAY8
        push(PickleValue::bytes(std::string(take(take_unsigned(8)))));
        break;
      case ']':
        push(registered(PickleValue::list({})));
        break;
      case 'l':
        push(registered(PickleValue::list(pop_to_mark())));
        break;
      case 'a': {
        Items one;
        one.push_back(pop());
        append(std::move(one));
        break;
      }
      case 'e':
        append(pop_to_mark());
        break;
      case ')':
        push(registered(PickleValue::tuple({})));
        break;
      case 't':
        push(registered(PickleValue::tuple(pop_to_mark())));
        break;
      case 0x85:
        push_tuple(1);
        break;
      case 0x86:
        push_tuple(2);
        break;
      case 0x87:
        push_tuple(3);
        break;
      case '}':
        push(registered(PickleValue::dict({})));
        break;
      case 'd': {
        Items items = pop_to_mark();
        push(registered(PickleValue::dict({})));
        set_items(std::move(items));
        break;
      }
      case 's': {
        Items two(2);
        two[1] = pop();
        two[0] = pop();
        set_items(std::move(two));
        break;
      }
      case 'u':
        set_items(pop_to_mark());
        break;
      case 0x8f:
        push(PickleValue::opaque({.name = "builtins.set"}));
        break;
      case 0x90:  // ADDITEMS
        pop_to_mark();
        if (!is_object(top())) problem("something is added to what is no set");
        break;
      case 0x91:  // FROZENSET
        pop_to_mark();
        push(PickleValue::opaque({.name = "builtins.frozenset"}));
        break;
      case 'c': {
        const std::string module = take_line();
        push_global(module, take_line());
        break;
      }
      case 0x93:
        push_stack_global();
        break;
      case 'R':
      case 0x81:  // NEWOBJ: the classes on the allow-list are made like this too
        call();
        break;
      case 0x92:
        call_with_keywords();
        break;
      case 'b':
        build();
        break;
      case 'Q':
        push_storage();
        break;
      case 'q':
        remember(take_unsigned(1));
        break;
      case 'r':
        remember(take_unsigned(4));
        break;
      case 0x94:
        remember(memo_.size());
        break;
      case 'h':
        recall(take_unsigned(1));
        break;
      case 'j':
        recall(take_unsigned(4));
        break;
      default:
        refuse(opcode);
    }
    return std::nullopt;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::size_t instruction_ = 0;
  std::size_t budget_;
  std::string last_global_;
  Items stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue> memo_;
  std::vector<std::shared_ptr<Sequence>> sequences_;
  std::vector<std::shared_ptr<Mapping>> mappings_;
  std::unordered_set<const void*> reachable_;  // from the finished value
};

PickleValue read_pickle(std::string_view bytes, const std::string& path, const std::string& where) {
  PickleMachine machine(bytes);
  try {
    return machine.run();
  } catch (const PickleProblem& problem) {
    throw FormatError(path, fmt::format("{} byte {}", where, machine.instruction()), problem.text);
  }
}

}  // namespace brainquant
