// A decoding graph (TLG.fst) and its words, as the public language-model server reads them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

namespace brainquant {

class FstFile;
class WordTable;

/// The 41 classes in the order that graphs number them: BLANK, SIL, then the phonemes AA to ZH. A graph's input label
/// is the position here plus 1; 0 is epsilon.
inline constexpr int kGraphClasses = 41;

/// Immutable: any number of threads may decode with one graph at once.
class WfstGraph {
 public:
  /// Reads `folder`/TLG.fst (OpenFst "vector" or "const", arc type "standard") and `folder`/words.txt. An aligned const
  /// file is memory-mapped: it opens at once and processes share it. Everything is checked here (labels within the 41
  /// classes and the words, targets, weights, no loop of input epsilons), except in a mapped graph of more than 4 GiB,
  /// where the search checks what it meets. Throws FileError, FormatError.
  explicit WfstGraph(const std::filesystem::path& folder);
  ~WfstGraph();
  WfstGraph(const WfstGraph&) = delete;
  WfstGraph& operator=(const WfstGraph&) = delete;

  const WordTable& words() const { return *words_; }
  const FstFile& fst() const { return *fst_; }
  std::int64_t num_states() const;
  std::int64_t num_arcs() const;
  /// Of the states and arcs, in memory or mapped.
  std::uint64_t bytes() const;
  bool mapped() const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<const WordTable> words_;
  std::unique_ptr<const FstFile> fst_;
};

}  // namespace brainquant
