// What became of the words or phonemes of one decoding in another decoding of the same trial.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace brainquant {

enum class ChangeKind { equal, substituted, deleted, inserted };
/// What a change did to the errors against the truth.
enum class ChangeEffect {
  none,    // as wrong as before, or as right
  added,   // right before, wrong now
  removed  // wrong before, right now
};

/// A column of two aligned decodings. "" stands for nothing: after's of a deletion, before's of an insertion.
struct TokenChange {
  std::string before;
  std::string after;
  ChangeEffect effect = ChangeEffect::none;

  ChangeKind kind() const;
};

/// Aligns two decodings as align_words() does. Where the truth is given, each is also aligned with it, which says of
/// each of its tokens whether it is right, in place of another one, or too much. Of `before` replaced by `after`, the
/// effect goes by which of them is right. A deletion adds an error if its token was right and removes one if it was too
/// much; an insertion removes one if its token is right and adds one if it is too much.
std::vector<TokenChange> align_changes(const std::vector<std::string>& before, const std::vector<std::string>& after,
                                       const std::optional<std::vector<std::string>>& truth = {});

}  // namespace brainquant
