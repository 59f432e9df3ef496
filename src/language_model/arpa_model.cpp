#include "language_model/arpa_model.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "brainquant/support/error.h"

namespace brainquant {
namespace {

constexpr int kMaxOrder = 10;
constexpr std::size_t kMaxLine = 1 << 16;
constexpr double kLn10 = 2.302585092994046;

/// Lines of a file that may be gzipped (zlib reads both).
class LineReader {
 public:
  explicit LineReader(const std::filesystem::path& path) : path_(path.string()), file_(::gzopen(path.c_str(), "rb")) {
    if (file_ == nullptr) throw FileError(path_, "can't be opened");
    ::gzbuffer(file_, 1 << 18);
  }
  ~LineReader() { ::gzclose(file_); }
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  bool next(std::string_view& line) {
    ++number_;
    if (::gzgets(file_, buffer_.data(), static_cast<int>(buffer_.size())) == nullptr) {
      int error = Z_OK;
      const char* text = ::gzerror(file_, &error);
      if (error != Z_OK && error != Z_STREAM_END) throw FormatError(path_, where(), text);
      return false;
    }
    line = buffer_.data();
    if (line.size() + 1 == buffer_.size()) throw FormatError(path_, where(), "a line of more than 65534 bytes");
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    return true;
  }
  std::string where() const { return fmt::format("line {}", number_); }

 private:
  std::string path_;
  gzFile file_;
  std::array<char, kMaxLine> buffer_{};
  std::size_t number_ = 0;
};

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t at = line.find_first_not_of(" \t"); at < line.size(); at = line.find_first_not_of(" \t", at)) {
    const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
    fields.push_back(line.substr(at, end - at));
    at = end;
  }
  return fields;
}

std::optional<float> number_of(std::string_view text) {
  float value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::uint64_t child_key(std::uint32_t context, std::uint32_t word) { return std::uint64_t{context} << 32 | word; }

}  // namespace

class ArpaModel::Reader {
 public:
  Reader(ArpaModel& model, const std::filesystem::path& path) : model_(model), path_(path.string()), lines_(path) {}

  void read() {
    const float none = std::numeric_limits<float>::quiet_NaN();
    model_.nodes_.push_back({none, 0.0F});
    std::string_view line;
    while (line != "\\data\\") {
      if (!lines_.next(line)) throw FormatError(path_, "", "no \\data\\ section: not an ARPA model");
    }
    int section = 0;
    while (lines_.next(line)) {
      if (line.empty() || line.starts_with("ngram ")) continue;
      if (line == "\\end\\") {
        if (section == 0) break;
        model_.order_ = section;
        return;
      }
      if (line.front() == '\\') {
        section = section_of(line, section);
      } else if (section == 0) {
        throw FormatError(path_, lines_.where(), "neither a count nor a section");
      } else {
        read_ngram(line, section);
      }
    }
    throw FormatError(path_, lines_.where(), "the file ends", "\\end\\ (is it truncated?)");
  }

 private:
  int section_of(std::string_view line, int last) const {
    const std::string expected = fmt::format("\\{}-grams:", last + 1);
    if (line != expected || last == kMaxOrder) {
      throw FormatError(path_, lines_.where(), fmt::format("section {}", line), expected + " or \\end\\");
    }
    return last + 1;
  }

  void read_ngram(std::string_view line, int order) {
    const std::vector<std::string_view> fields = fields_of(line);
    const auto words = static_cast<std::size_t>(order);
    const std::optional<float> probability = fields.empty() ? std::nullopt : number_of(fields[0]);
    const std::optional<float> backoff = fields.size() == words + 2 ? number_of(fields[words + 1]) : 0.0F;
    if (!probability || !backoff || fields.size() < words + 1 || fields.size() > words + 2) {
      throw FormatError(path_, lines_.where(), fmt::format("not \"LOG10 {} words [BACKOFF]\"", order));
    }
    std::uint32_t node = kRoot;
    for (std::size_t i = 1; i <= words; ++i) node = model_.add_node(node, word_id(fields[i], order));
    model_.nodes_[node] = {*probability, *backoff};
  }

  std::uint32_t word_id(std::string_view word, int order) {
    if (order == 1) return model_.words_.emplace(word, static_cast<std::uint32_t>(model_.words_.size())).first->second;
    const auto found = model_.words_.find(std::string(word));
    if (found == model_.words_.end())
      throw FormatError(path_, lines_.where(), fmt::format("\"{}\" has no 1-gram", word));
    return found->second;
  }

  ArpaModel& model_;
  std::string path_;
  LineReader lines_;
};

ArpaModel::ArpaModel(const std::filesystem::path& path) {
  Reader(*this, path).read();
  const auto id = [&](const char* word) -> std::optional<std::uint32_t> {
    const auto found = words_.find(word);
    if (found == words_.end()) return std::nullopt;
    return found->second;
  };
  begin_ = id("<s>");
  end_ = id("</s>");
  unknown_ = id("<unk>");
  if (!unknown_) unknown_ = id("<UNK>");
  if (!end_) throw FormatError(path.string(), "1-grams", "no </s>");
}

std::uint32_t ArpaModel::add_node(std::uint32_t context, std::uint32_t word) {
  const auto [place, is_new] = children_.emplace(child_key(context, word), static_cast<std::uint32_t>(nodes_.size()));
  if (is_new) nodes_.push_back({std::numeric_limits<float>::quiet_NaN(), 0.0F});
  return place->second;
}

std::optional<std::uint32_t> ArpaModel::find_node(std::uint32_t context, std::uint32_t word) const {
  const auto found = children_.find(child_key(context, word));
  if (found == children_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint32_t> ArpaModel::find_word(const std::string& word) const {
  std::string spelled = word;
  auto found = words_.find(spelled);
  for (int (*change)(int) : {static_cast<int (*)(int)>(std::tolower), static_cast<int (*)(int)>(std::toupper)}) {
    if (found != words_.end()) break;
    std::transform(word.begin(), word.end(), spelled.begin(),
                   [change](char c) { return static_cast<char>(change(static_cast<unsigned char>(c))); });
    found = words_.find(spelled);
  }
  if (found == words_.end()) return unknown_;
  return found->second;
}

std::optional<std::uint32_t> ArpaModel::find_context(const std::uint32_t* begin, const std::uint32_t* end) const {
  std::optional<std::uint32_t> context = kRoot;
  for (; begin != end && context; ++begin) context = find_node(*context, *begin);
  return context;
}

std::optional<double> ArpaModel::log10_of(const std::vector<std::uint32_t>& history, std::uint32_t word) const {
  double backoff = 0;
  const std::uint32_t* const end = history.data() + history.size();
  for (const std::uint32_t* begin = history.data(); begin <= end; ++begin) {
    const std::optional<std::uint32_t> context = find_context(begin, end);
    if (!context) continue;
    const std::optional<std::uint32_t> ngram = find_node(*context, word);
    if (ngram && !std::isnan(nodes_[*ngram].log10_probability)) return backoff + nodes_[*ngram].log10_probability;
    backoff += nodes_[*context].log10_backoff;
  }
  return std::nullopt;
}

/// A state is the longest end of the sentence so far that is the beginning of a listed n-gram: words before it change
/// no probability that comes after.
class ArpaModel::Automaton final : public WordAutomaton {
 public:
  explicit Automaton(const ArpaModel& model) : model_(model) {
    std::vector<std::uint32_t> history;
    if (model.begin_) history.push_back(*model.begin_);
    state_of(history);
  }

  std::optional<Arc> say(std::uint32_t state, const std::string& word) override {
    const std::optional<std::uint32_t> id = model_.find_word(word);
    if (!id) return std::nullopt;
    std::vector<std::uint32_t> history = histories_[state];
    const std::optional<double> log10 = model_.log10_of(history, *id);
    if (!log10) return std::nullopt;
    history.push_back(*id);
    return Arc{state_of(history), -*log10 * kLn10};
  }

  std::optional<double> end_cost(std::uint32_t state) const override {
    const std::optional<double> log10 = model_.log10_of(histories_[state], *model_.end_);
    if (!log10) return std::nullopt;
    return -*log10 * kLn10;
  }

 private:
  std::uint32_t state_of(const std::vector<std::uint32_t>& history) {
    const std::uint32_t* begin = history.data();
    const std::uint32_t* const end = begin + history.size();
    while (end - begin >= model_.order_ || !model_.find_context(begin, end)) ++begin;
    std::vector<std::uint32_t> known(begin, end);
    const auto [place, is_new] = states_.emplace(known, static_cast<std::uint32_t>(histories_.size()));
    if (is_new) histories_.push_back(std::move(known));
    return place->second;
  }

  const ArpaModel& model_;
  std::vector<std::vector<std::uint32_t>> histories_;
  std::map<std::vector<std::uint32_t>, std::uint32_t> states_;
};

std::unique_ptr<WordAutomaton> ArpaModel::automaton() const { return std::make_unique<Automaton>(*this); }

}  // namespace brainquant
