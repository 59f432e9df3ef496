// Token passing over a decoding graph, one frame of acoustic costs at a time. A frame is a step that is not left out.
//
// The search is the one of Kaldi's lattice-faster decoder (Povey et al., "Generating exact lattices in the WFST
// framework", ICASSP 2012): beam pruning with limits on the number of active tokens, and a lattice pruned with
// lattice_beam as the search goes on. Every choice between equals is made by the order in which tokens came to be,
// which depends on the input alone.
#pragma once

#include <cstdint>
#include <vector>

#include "brainquant/language_model/wfst_options.h"
#include "language_model/fst_file.h"
#include "language_model/wfst_lattice.h"

namespace brainquant {

class WfstSearch {
 public:
  /// Starts at the graph's start state; the graph must outlive the search. Throws FormatError for a graph that was not
  /// checked before and turns out to be damaged (push() too).
  WfstSearch(const FstFile& graph, const WfstOptions& options);

  /// Begins anew; keeps its memory.
  void reset();
  /// One frame: costs[c] of the class that input label c + 1 stands for, minus scaled log-likelihoods.
  void push(const float* costs, int classes);
  /// Number of frames pushed.
  std::size_t frames() const { return frames_.size() - 1; }
  /// The words of the best path so far, whether or not a sentence could end there.
  std::vector<std::int32_t> best_words() const;
  /// All paths within lattice_beam of the best one that ends in a final state; if none does, of the best one that ends
  /// anywhere. Nothing can be pushed after it until reset().
  WordLattice finish();

 private:
  struct Token {
    std::int32_t state;
    std::uint32_t history;  // index into histories_
    float cost;             // of the best path here, minus those of the frames' offsets
    float extra;            // how much worse than the best path the best path through here is
  };
  struct Link {
    std::uint32_t from;  // tokens' indices in their frames
    std::uint32_t to;
    std::int32_t word;
    std::int32_t input;
    float graph;
  };
  /// The tokens after so many pushes, in the order in which they came to be.
  struct Frame {
    std::vector<Token> tokens;
    std::vector<Link> epsilons;  // within the frame, in topological order of their sources
    std::vector<Link> emitting;  // to the next frame
    std::vector<float> costs;    // that the emitting links took, by input label
    float offset = 0;            // subtracted on the way to the next frame
  };
  /// A word and what was said before it, so that tokens share their pasts.
  struct History {
    std::uint32_t previous;
    std::int32_t word;
  };
  struct Cutoff {
    float cost;
    float beam;
  };

  /// Which token a state has in the frame under construction: open addressing, emptied by a new generation number.
  class TokenIndex {
   public:
    void clear();
    /// The token's place, kNone if new: the caller then writes it.
    std::uint32_t& find_or_add(std::int32_t state);
    static constexpr std::uint32_t kNone = 0xFFFFFFFFU;

   private:
    struct Slot {
      std::int32_t state = 0;
      std::uint32_t token = kNone;
      std::uint32_t generation = 0;
    };
    void grow();
    std::vector<Slot> slots_;
    std::uint32_t generation_ = 0;
    std::size_t used_ = 0;
  };

  Cutoff cutoff_of(const std::vector<Token>& tokens);
  /// Creates or improves the token of `state`; true if it did. `token` is its index either way.
  bool relax(Frame& frame, std::int32_t state, float cost, std::uint32_t history, std::int32_t word,
             std::uint32_t& token);
  float follow_emitting(Frame& from, Frame& to);
  void follow_epsilons(Frame& frame, float cutoff);
  void sort_epsilon_links(Frame& frame);
  float link_cost(const Frame& frame, const Link& link) const;
  void prune_lattice();
  bool prune_frame(std::size_t index);
  void drop_dead_tokens(std::size_t last);
  WordLattice build_lattice() const;
  [[noreturn]] void throw_bad_label(const FstArc& arc, int classes) const;

  const FstFile& graph_;
  const WfstOptions options_;
  std::vector<Frame> frames_;
  std::vector<History> histories_;
  std::size_t pruned_frames_ = 0;  // frames before this one have been pruned before
  std::vector<float> final_extra_;

  TokenIndex index_;
  std::vector<float> scratch_costs_;
  std::vector<std::uint32_t> queue_;
};

}  // namespace brainquant
