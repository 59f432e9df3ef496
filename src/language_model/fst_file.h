// OpenFst's binary files as plain arrays. The two formats that decoding graphs come in are read here byte by byte
// instead of by the OpenFst library, because graphs are hostile input: the library prints to stderr, trusts the counts
// of the file (a truncated mapped graph ends the process with SIGBUS) and can loop for minutes on a damaged header.
//
// Both formats, little-endian, begin with a header:
//   int32 2125659606; string type ("vector" or "const"); string arc type ("standard": tropical weights, float);
//   int32 version; int32 flags (1, 2: an input, output symbol table follows the header; 4: aligned); uint64 properties;
//   int64 start; int64 states; int64 arcs               (a string is an int32 length and its bytes)
// "vector", version 2: for each state float final, int64 arcs, then its arcs (FstArc).
// "const", version 1 (aligned) or 2: an array of FstState, an array of FstArc; each begins at a multiple of 16 bytes of
// the file if aligned, directly behind what comes before if not. (OpenFst 1.7.9, fst.cc, vector-fst.h, const-fst.h.)
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace brainquant {

class MappedBytes;

/// The first four bytes of every OpenFst file.
inline constexpr std::int32_t kOpenFstMagic = 2125659606;

/// One transition. Label 0 is epsilon: it consumes or says nothing. The weight is a cost (minus the log of a
/// probability).
struct FstArc {
  std::int32_t input;
  std::int32_t output;
  float weight;
  std::int32_t next;
};

struct FstState {
  float final_weight;  // infinity: not a final state
  std::uint32_t first_arc;
  std::uint32_t arcs;
  std::uint32_t input_epsilons;
  std::uint32_t output_epsilons;
};

static_assert(sizeof(FstArc) == 16 && sizeof(FstState) == 20, "the layout of OpenFst's const files");

/// What check_fst() refuses.
struct FstLimits {
  std::int32_t max_input = std::numeric_limits<std::int32_t>::max();
  std::int32_t max_output = std::numeric_limits<std::int32_t>::max();
};

/// A graph in memory, or mapped from its file. Immutable: any number of threads may read it.
class FstFile {
 public:
  /// Reads a "vector" or an unaligned "const" file into memory, maps an aligned "const" file. The sizes that the header
  /// claims are compared with the file's before anything is allocated. Throws FileError, FormatError.
  explicit FstFile(const std::filesystem::path& path);
  ~FstFile();
  FstFile(const FstFile&) = delete;
  FstFile& operator=(const FstFile&) = delete;

  std::int32_t start() const { return start_; }
  std::int32_t num_states() const { return num_states_; }
  std::uint64_t num_arcs() const { return num_arcs_; }
  bool mapped() const { return mapping_ != nullptr; }
  const std::string& path() const { return path_; }
  /// Of the two arrays.
  std::uint64_t bytes() const {
    return sizeof(FstState) * static_cast<std::uint64_t>(num_states_) + sizeof(FstArc) * num_arcs_;
  }

  const FstState& state(std::int32_t s) const { return states_[s]; }
  /// The state's first arc. Throws FormatError when the state's arcs lie outside the array, so that graphs too large to
  /// be checked beforehand can't lead outside their memory.
  const FstArc* arcs(const FstState& s) const {
    if (s.first_arc > num_arcs_ || s.arcs > num_arcs_ - s.first_arc) throw_bad_arcs();
    return arcs_ + s.first_arc;
  }
  /// The arc's target. Throws FormatError when there is no such state.
  std::int32_t next(const FstArc& arc) const {
    if (arc.next < 0 || arc.next >= num_states_) throw_bad_target(arc);
    return arc.next;
  }

  /// One pass over all states and arcs: labels within `limits`, targets and arc ranges within the graph, no NaN and no
  /// minus infinity among the weights, counts of epsilons right, and no cycle of input epsilons (a search could turn in
  /// it for ever). Throws FormatError.
  void check(const FstLimits& limits) const;

 private:
  void read_vector(const MappedBytes& file, std::uint64_t offset);
  [[noreturn]] void throw_bad_arcs() const;
  [[noreturn]] void throw_bad_target(const FstArc& arc) const;
  void check_arcs(const FstLimits& limits) const;
  void check_epsilon_cycles() const;

  std::string path_;
  std::unique_ptr<MappedBytes> mapping_;
  std::vector<FstState> own_states_;
  std::vector<FstArc> own_arcs_;
  const FstState* states_ = nullptr;
  const FstArc* arcs_ = nullptr;
  std::int32_t start_ = -1;
  std::int32_t num_states_ = 0;
  std::uint64_t num_arcs_ = 0;
};

}  // namespace brainquant
