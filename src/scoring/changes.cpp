#include "brainquant/scoring/changes.h"

#include "brainquant/scoring/error_rate.h"

namespace brainquant {

namespace {

enum class Token { right, in_place_of_another, too_much };

// Of each token of a decoding, in their order.
std::vector<Token> judged(const std::vector<std::string>& decoding, const std::vector<std::string>& truth) {
  std::vector<Token> tokens;
  for (const AlignedWords& column : align_words(truth, decoding)) {
    if (column.prediction.empty()) continue;
    tokens.push_back(column.truth.empty()                ? Token::too_much
                     : column.truth == column.prediction ? Token::right
                                                         : Token::in_place_of_another);
  }
  return tokens;
}

// `before` and `after` are null where a column has no such token.
ChangeEffect effect_of(const Token* before, const Token* after) {
  const bool was_right = before != nullptr ? *before == Token::right : *after == Token::too_much;
  const bool is_right = after != nullptr ? *after == Token::right : *before == Token::too_much;
  if (was_right == is_right) return ChangeEffect::none;
  return was_right ? ChangeEffect::added : ChangeEffect::removed;
}

}  // namespace

ChangeKind TokenChange::kind() const {
  if (before == after) return ChangeKind::equal;
  if (before.empty()) return ChangeKind::inserted;
  return after.empty() ? ChangeKind::deleted : ChangeKind::substituted;
}

std::vector<TokenChange> align_changes(const std::vector<std::string>& before, const std::vector<std::string>& after,
                                       const std::optional<std::vector<std::string>>& truth) {
  std::vector<Token> judged_before, judged_after;
  if (truth) {
    judged_before = judged(before, *truth);
    judged_after = judged(after, *truth);
  }
  std::vector<TokenChange> changes;
  std::size_t i = 0;
  std::size_t j = 0;
  for (const AlignedWords& column : align_words(before, after)) {
    TokenChange change{column.truth, column.prediction};
    const bool has_before = !column.truth.empty();
    const bool has_after = !column.prediction.empty();
    if (truth && change.kind() != ChangeKind::equal) {
      change.effect = effect_of(has_before ? &judged_before[i] : nullptr, has_after ? &judged_after[j] : nullptr);
    }
    i += has_before ? 1 : 0;
    j += has_after ? 1 : 0;
    changes.push_back(std::move(change));
  }
  return changes;
}

}  // namespace brainquant
