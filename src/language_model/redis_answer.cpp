#include "language_model/redis_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <unordered_set>

#include "brainquant/support/error.h"
#include "language_model/redis_connection.h"

namespace brainquant {

namespace {

constexpr std::size_t kTupleSize = 5;
constexpr std::string_view kSpaces = " \t\r\n\f\v";

// RFC 3629: shortest forms only, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) continue;
    const int followers = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < static_cast<std::size_t>(followers)) return false;
    std::uint32_t code = lead & (0x3fU >> followers);
    for (int k = 0; k < followers; ++k) {
      const auto follower = static_cast<unsigned char>(text[i++]);
      if ((follower & 0xc0U) != 0x80U) return false;
      code = (code << 6) | (follower & 0x3fU);
    }
    if (followers == 2 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) return false;
    if (followers == 3 && (code < 0x10000 || code > 0x10ffff)) return false;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

double score(std::string_view text, const char* name, std::size_t candidate) {
  const std::string_view digits = trimmed(text);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool read = error == std::errc() && end == digits.data() + digits.size();
  if (!read || std::isnan(value) || value == std::numeric_limits<double>::infinity()) {
    throw ServerError(
        fmt::format("remote_lm_output_final: scoring: candidate {}: {} score: found '{}', expected a number",
                    candidate + 1, name, one_line(std::string(text))));
  }
  return value;
}

const std::string* find_text(const std::map<std::string, std::string>& fields, const char* name) {
  const auto field = fields.find(name);
  if (field == fields.end()) return nullptr;
  if (!is_utf8(field->second)) throw ServerError(fmt::format("remote_lm_output_final: {} is not UTF-8", name));
  return &field->second;
}

}  // namespace

std::vector<SentenceCandidate> candidates_of_answer(const std::map<std::string, std::string>& fields) {
  const std::string* scoring = find_text(fields, "scoring");
  const std::string* response = find_text(fields, "lm_response_final");
  if (scoring == nullptr && response == nullptr) {
    throw ServerError("remote_lm_output_final: found neither scoring nor lm_response_final");
  }
  if (scoring == nullptr || scoring->empty()) {
    if (response == nullptr || trimmed(*response).empty()) return {};
    return {SentenceCandidate{.sentence = response->substr(response->find_first_not_of(kSpaces))}};
  }

  const std::vector<std::string_view> parts = split(*scoring, ';');
  if (parts.size() % kTupleSize != 0) {
    throw ServerError(
        fmt::format("remote_lm_output_final: scoring: found {} values, expected sentence;acoustic;ngram;llm;total for "
                    "each candidate",
                    parts.size()));
  }
  std::vector<SentenceCandidate> candidates;
  candidates.reserve(parts.size() / kTupleSize);
  for (std::size_t i = 0; i < parts.size() / kTupleSize; ++i) {
    const std::string_view* part = &parts[i * kTupleSize];
    candidates.push_back({std::string(part[0]), score(part[1], "acoustic", i), score(part[2], "ngram", i),
                          score(part[3], "llm", i), score(part[4], "total", i)});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const SentenceCandidate& a, const SentenceCandidate& b) { return a.total > b.total; });
  std::unordered_set<std::string> seen;
  std::erase_if(candidates, [&](const SentenceCandidate& c) { return !seen.insert(c.sentence).second; });
  return candidates;
}

}  // namespace brainquant
