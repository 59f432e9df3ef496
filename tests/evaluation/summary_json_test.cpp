// The text of results JSON and of a journal's lines, written out by hand from docs/results-schema.md and journal.h.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/support/error.h"
#include "evaluation/journal.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

using nlohmann::operator""_json_pointer;

// One trial of four phonemes, one wrong, and of two words, one missing; every number is exact in binary.
EvaluationSummary one_trial() {
  EvaluationSummary summary;
  summary.tool_version = "9.9";
  summary.git_commit = "abc";
  summary.run_key.set("threads", "2");
  summary.options = {{"batch_size", std::int64_t{8}}, {"streaming", true}, {"beam", OptionValue()}};
  summary.model.method = "fp32";
  summary.model.path = "m/\"odd\"";
  summary.model.sha256 = "aa";
  summary.model.source_sha256 = "bb";
  summary.model.args_sha256 = "cc";
  summary.model.bytes = 8;
  summary.model.fp32_bytes = 16;
  summary.model.val_per = 0.25;
  summary.engine = "native";
  summary.instructions = "avx2";
  summary.threads = 2;
  summary.batch_size = 8;
  summary.streaming = true;
  summary.machine = {"a CPU", 4, "2.0"};
  summary.eval_type = "val";
  summary.data_fingerprint = "dd";
  summary.for_testing = true;
  summary.too_short = 1;
  summary.resumed = 0;
  GroupedErrorRate per;
  per.total = {1, 4};
  per.edits = {1, 0, 0};
  per.sessions["s"] = {1, 4};
  per.corpora["x"] = {1, 4};
  summary.per = per;
  summary.per_ctc = per;
  summary.language_model = "wfst";
  summary.language_model_seconds = 0.5;
  summary.lm_scales = LmScales{0.5, 8};
  summary.lm_tuning = LmTuning{{"s/u"}, 4, {{{0.5, 8}, 1}}};
  GroupedErrorRate wer;
  wer.total = {1, 2};
  wer.edits = {0, 1, 0};
  summary.wer = wer;
  summary.worst_sentences = {{"s/t", {{"yes", "yes"}, {"no", ""}}}};
  summary.timing = {2, 8, 0.5, 1, 0.25, 1.5, 2.5, 3.5, 0.75};
  summary.step = StepReport{{3, 1, 2, 3}, {3, 0.5, 0.75, 1}, 80, 1, {{1, 1.25, 2}, {1.25, 1.5, 1}}};
  summary.peak_memory_bytes = 1000;
  summary.trials = {{"s/t", "x", 100, 20, 4, 1, 1, 2, 1, "AA B CH D", "Yes, no.", "yes", 1.25}};
  return summary;
}

constexpr const char* kOneTrial = R"({
  "schema": "brainquant/evaluation",
  "schema_version": 1,
  "tool_version": "9.9",
  "git_commit": "abc",
  "run_key": {
    "threads": "2"
  },
  "options": {
    "batch_size": 8,
    "streaming": true,
    "beam": null
  },
  "model": {
    "method": "fp32",
    "path": "m/\"odd\"",
    "sha256": "aa",
    "source_sha256": "bb",
    "args_sha256": "cc",
    "quantization": null,
    "bytes": 8,
    "fp32_bytes": 16,
    "val_per": 0.25
  },
  "engine": {
    "name": "native",
    "instructions": "avx2",
    "threads": 2,
    "batch_size": 8,
    "streaming": true
  },
  "machine": {
    "cpu": "a CPU",
    "cores": 4,
    "libtorch_version": "2.0"
  },
  "data": {
    "eval_type": "val",
    "fingerprint": "dd",
    "for_testing": true,
    "trials": 1,
    "too_short": 1,
    "resumed": 0
  },
  "per": {
    "total": {
      "rate": 25.0,
      "distance": 1,
      "length": 4
    },
    "substitutions": 1,
    "deletions": 0,
    "insertions": 0,
    "sessions": {
      "s": {
        "rate": 25.0,
        "distance": 1,
        "length": 4
      }
    },
    "corpora": {
      "x": {
        "rate": 25.0,
        "distance": 1,
        "length": 4
      }
    }
  },
  "per_ctc": {
    "total": {
      "rate": 25.0,
      "distance": 1,
      "length": 4
    },
    "substitutions": 1,
    "deletions": 0,
    "insertions": 0,
    "sessions": {
      "s": {
        "rate": 25.0,
        "distance": 1,
        "length": 4
      }
    },
    "corpora": {
      "x": {
        "rate": 25.0,
        "distance": 1,
        "length": 4
      }
    }
  },
  "language_model": "wfst",
  "language_model_seconds": 0.5,
  "lm_scales": {
    "acoustic_scale": 0.5,
    "blank_penalty": 8.0
  },
  "lm_tuning": {
    "count": 1,
    "trials": [
      "s/u"
    ],
    "true_words": 4,
    "tried": [
      {
        "acoustic_scale": 0.5,
        "blank_penalty": 8.0,
        "word_distance": 1
      }
    ]
  },
  "wer": {
    "total": {
      "rate": 50.0,
      "distance": 1,
      "length": 2
    },
    "substitutions": 0,
    "deletions": 1,
    "insertions": 0,
    "sessions": {},
    "corpora": {}
  },
  "worst_sentences": [
    {
      "label": "s/t",
      "truth": [
        "yes",
        "no"
      ],
      "prediction": [
        "yes",
        null
      ]
    }
  ],
  "timing": {
    "trials": 2,
    "signal_seconds": 8.0,
    "model_seconds": 0.5,
    "wall_seconds": 1.0,
    "load_seconds": 0.25,
    "model_ms_per_trial": 250.0,
    "model_ms_p10": 1.5,
    "model_ms_p50": 2.5,
    "model_ms_p90": 3.5,
    "core_share": 0.75,
    "wall_ms_per_trial": 500.0,
    "real_time_factor": 0.0625
  },
  "step": {
    "work": {
      "count": 3,
      "p50_ms": 1.0,
      "p99_ms": 2.0,
      "max_ms": 3.0
    },
    "last_bin": {
      "count": 3,
      "p50_ms": 0.5,
      "p99_ms": 0.75,
      "max_ms": 1.0
    },
    "budget_ms": 80.0,
    "late": 1,
    "histogram": [
      {
        "from_ms": 1.0,
        "to_ms": 1.25,
        "count": 2
      },
      {
        "from_ms": 1.25,
        "to_ms": 1.5,
        "count": 1
      }
    ]
  },
  "peak_memory_bytes": 1000,
  "trials": [
    {
      "label": "s/t",
      "corpus": "x",
      "bins": 100,
      "steps": 20,
      "true_length": 4,
      "distance": 1,
      "distance_ctc": 1,
      "true_words": 2,
      "word_distance": 1,
      "true_phonemes": "AA B CH D",
      "true_sentence": "Yes, no.",
      "sentence": "yes",
      "sentence_margin": 1.25
    }
  ]
}
)";

TEST(SummaryJson, IsTheTextThatTheSchemaSays) {
  EXPECT_EQ(evaluation_json(one_trial()), kOneTrial);
  const ScratchFolder scratch;
  write_bytes(scratch / "a.json", kOneTrial);
  EXPECT_EQ(evaluation_json(read_evaluation_json(scratch / "a.json")), kOneTrial);
}

TEST(SummaryJson, WhatWasNotMeasuredIsNull) {
  EvaluationSummary summary = one_trial();
  summary.model.val_per.reset();
  summary.model.quantization.emplace();
  summary.model.made_by = "1.0";
  summary.model.calibration_trials = {"s/t"};
  summary.model.calibration_sha256 = "ee";
  summary.per.reset();
  summary.step.reset();
  summary.language_model.clear();
  const ScratchFolder scratch;
  write_bytes(scratch / "a.json", evaluation_json(summary));
  const nlohmann::json json = nlohmann::json::parse(bytes_of(scratch / "a.json"));
  for (const auto* null : {&json["model"]["val_per"], &json["per"], &json["step"], &json["language_model"]}) {
    EXPECT_TRUE(null->is_null());
  }
  EXPECT_EQ(json["model"]["quantization"]["made_by"], "1.0");
  EXPECT_EQ(json["model"]["quantization"]["calibration_trials"][0], "s/t");
  EXPECT_EQ(json["model"]["quantization"]["calibration_sha256"], "ee");
  const EvaluationSummary read = read_evaluation_json(scratch / "a.json");
  EXPECT_FALSE(read.model.val_per || read.per || read.step);
  EXPECT_EQ(read.language_model, "");
  EXPECT_EQ(evaluation_json(read), evaluation_json(summary));
}

// A file of the first version 1, before fields were added to it.
TEST(SummaryJson, FieldsThatWereAddedToTheVersionMayBeMissing) {
  const std::vector<nlohmann::json::json_pointer> added = {"/git_commit"_json_pointer,
                                                           "/run_key"_json_pointer,
                                                           "/options"_json_pointer,
                                                           "/worst_sentences"_json_pointer,
                                                           "/lm_scales"_json_pointer,
                                                           "/lm_tuning"_json_pointer,
                                                           "/model/args_sha256"_json_pointer,
                                                           "/model/quantization"_json_pointer,
                                                           "/timing/model_ms_p10"_json_pointer,
                                                           "/timing/model_ms_p50"_json_pointer,
                                                           "/timing/model_ms_p90"_json_pointer,
                                                           "/timing/core_share"_json_pointer,
                                                           "/step/late"_json_pointer,
                                                           "/step/histogram"_json_pointer,
                                                           "/trials/0/true_phonemes"_json_pointer,
                                                           "/trials/0/true_sentence"_json_pointer,
                                                           "/trials/0/sentence"_json_pointer,
                                                           "/trials/0/sentence_margin"_json_pointer};
  const ScratchFolder scratch;
  nlohmann::json json = nlohmann::json::parse(kOneTrial);
  for (const auto& pointer : added) json.at(pointer.parent_pointer()).erase(pointer.back());
  write_bytes(scratch / "a.json", json.dump());
  const EvaluationSummary read = read_evaluation_json(scratch / "a.json");
  EXPECT_EQ(read.git_commit, "");
  EXPECT_TRUE(read.worst_sentences.empty());
  EXPECT_FALSE(read.lm_scales || read.lm_tuning);
  EXPECT_EQ(read.timing.core_share, 1);
  EXPECT_FALSE(read.step->late);
  EXPECT_EQ(read.timing.model_seconds, 0.5);
  EXPECT_FALSE(read.trials.at(0).sentence || read.trials[0].sentence_margin);

  // Everything else has to be there, but for what follows from other fields and for the names of groups.
  const nlohmann::json whole = nlohmann::json::parse(kOneTrial);
  const auto may_be_missing = [&](const std::string& path) {
    const auto holds = [&](const std::string& part) { return path.find(part) != std::string::npos; };
    for (const char* part : {"/rate", "_per_trial", "/real_time_factor", "/data/trials", "/sessions/", "/corpora/"}) {
      if (holds(part)) return true;
    }
    return std::any_of(added.begin(), added.end(), [&](const auto& pointer) { return holds(pointer.to_string()); });
  };
  const nlohmann::json flat = whole.flatten();
  for (const auto& entry : flat.items()) {
    const std::string& path = entry.key();
    const nlohmann::json::json_pointer pointer(path);
    if (may_be_missing(path) || !whole.at(pointer.parent_pointer()).is_object()) continue;
    nlohmann::json lacking = whole;
    lacking.at(pointer.parent_pointer()).erase(pointer.back());
    write_bytes(scratch / "a.json", lacking.dump());
    EXPECT_THROW(read_evaluation_json(scratch / "a.json"), FormatError) << path;
  }
}

// The checksums are Python's zlib.crc32 of the JSON.
TEST(JournalLines, AreTheTextThatEarlierRunsWrote) {
  const ScratchFolder scratch;
  TrialResult trial;
  trial.index = 3;
  trial.session = "s1";
  trial.name = "trial_0003";
  trial.block = 2;
  trial.trial_num = 7;
  trial.corpus = "\xff";  // not UTF-8
  trial.bins = 40;
  trial.steps = 1;
  trial.phonemes = {1, 2};
  trial.phonemes_ctc = {1};
  trial.true_sentence = "Yes.";
  trial.model_seconds = 0.25;
  RunKey key;
  key.set("threads", "2");
  {
    Journal journal(scratch / "j", key, false, 4, 3);
    journal.add({trial}, {Logits{1, 3, {1, 2, 3}}});
    journal.add_sentence(3, "lm", {"yes", 1.25, 0.5});
  }
  const std::string header = R"({"brainquant_journal":2,"key":{"threads":"2"},"keeps_logits":false})";
  const std::string line =
      R"({"index":3,"session":"s1","name":"trial_0003","block":2,"trial":7,"corpus":{"hex":"ff"},"bins":40,"steps":1,)"
      R"("phonemes":[1,2],"phonemes_ctc":[1],"true_phonemes":[],"true_sentence":"Yes.","model_seconds":0.25,)"
      R"("logits_offset":0})";
  const std::string sentence = R"({"index":3,"language_model":"lm","sentence":"yes","seconds":0.5,"margin":1.25})";
  EXPECT_EQ(bytes_of(scratch / "j"), "f833f107 " + header + "\n3ee18673 " + line + "\n1ca815dd " + sentence + "\n");
  // As version 2 was first written, without margins.
  const std::string first = R"({"index":3,"language_model":"lm","sentence":"yes","seconds":0.5})";
  write_bytes(scratch / "j", "f833f107 " + header + "\n3ee18673 " + line + "\n9c8d070f " + first + "\n");
  Journal journal(scratch / "j", key, false, 4, 3);
  ASSERT_TRUE(journal.trials().contains(3));
  EXPECT_EQ(journal.trials().at(3).sentence, "yes");
  EXPECT_TRUE(journal.trials().at(3).resumed);
  EXPECT_FALSE(journal.trials().at(3).sentence_margin.has_value());
}

}  // namespace
}  // namespace brainquant
