// Sentences from a language-model server that is reached through Redis streams: the protocol of the public
// brain-to-text repository's own server (which always uses database 0).
//
// One trial, question by question (a stream entry is a list of fields):
//
//   we add to            fields                       the server answers on      with
//   remote_lm_reset      done=0                       remote_lm_done_resetting   anything
//   remote_lm_input      logits=[steps, 41] float32   remote_lm_output_partial   lm_response_partial
//   remote_lm_finalize   done=0                       remote_lm_output_final     lm_response_final, scoring
//
// Logits are little-endian; the server's classes are BLANK, SIL, AA..ZH: the model's with the last one (silence) moved
// to the second place.
//
// A server ignores entries that are older than its own start, so a reset is sent again every 2 s until it is answered;
// the new one takes the place of the old one.
//
// scoring is sentence;acoustic;ngram;llm;total of every candidate, all joined by ';'. It is absent when the server runs
// with nbest 1, and empty when it runs without a large language model: lm_response_final is then the only candidate,
// without the space that the server begins it with, its scores 0. An empty lm_response_final means that nothing was
// recognised.
//
// Answers carry no mark of what they answer. One counts only if its entry is newer than the last that its stream ever
// had when the question was added (both in one transaction), so what earlier runs left is never taken for an answer.
//
// Two clients at once spoil each other's sentences. So each trial is refused
// - before anything is added, if the last entry of one of the questions' streams is younger than 5 s by Redis' own
//   clock (TIME; an entry's id begins with the time at which it was added) and not ours. It must still be there: the
//   public client leaves its entries, we delete ours, so a run that starts right after another of ours finds none. The
//   id of the last entry that the stream ever had would not do: it outlives the entry, and that of our own run before
//   this one is as young as another client's. The price: a run that was killed leaves its entry, and for 5 s the next
//   one takes it for another client's.
// - at the end, if anything but our own entries was added meanwhile, deleted again or not. Here the last id that a
//   stream ever had does tell, as we know each that we added: this notices another client of our own kind.
//
// Only our own entries are deleted, each when the next question is asked, after a failure or at the end; and the
// answers to them, at the end and only if nobody else can have asked for them. Everything else in that Redis stays as
// it is; streams that we were the first to use stay behind empty.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "brainquant/language_model/language_model.h"

namespace brainquant {

struct RedisOptions {
  std::string host = "localhost";
  int port = 6379;
  int database = 0;
  double deadline_seconds = 60;  // for one trial, from its first byte to its last answer; and for await_ready()
  std::string hint;              // put behind every error, in brackets: what the user can do instead

  /// Throws UsageError naming the field: an empty host, a port outside 1..65535, a negative database, a deadline that
  /// is not above 0 and at most a day.
  void validate() const;
  /// "redis://localhost:6379/0".
  std::string url() const;
};

/// Asks one trial at a time; not for use by several threads at once. The connection is made when first needed and
/// kept; after a failure the next trial makes a new one.
class RedisLanguageModel : public LanguageModel {
 public:
  /// Throws UsageError as RedisOptions::validate(). Connects to nothing.
  explicit RedisLanguageModel(RedisOptions options);
  ~RedisLanguageModel() override;

  std::string description() const override;

  /// Returns as soon as a server has answered a reset. Says once, through context.log, if that takes more than 2 s.
  /// Throws ServerError when Redis doesn't answer within 5 s, no server within the deadline, or another client is using
  /// the server; Interrupted as decode().
  void await_ready(const RunContext& context) override;

  /// Sentences are as the server sent them, but for the leading space that is described above; of equal ones the best
  /// stays; equal totals keep the server's order. A trial of no steps has no candidates and is not sent. Throws
  /// ServerError (one line: where, what was waited for and for how long, or what was refused or malformed), UsageError
  /// (not 41 classes), WorkError (a logit that is NaN or infinite), Interrupted at most 0.2 s after context.cancel
  /// while Redis answers, 1 s later than that if it doesn't.
  std::vector<SentenceCandidate> decode(const LogitsView& logits, const RunContext& context) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brainquant
