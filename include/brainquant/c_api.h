/* brainquant from C, and from whatever calls C: LabVIEW, Rust, Python by ctypes.
 *
 * Two libraries have these functions: libbrainquant_c runs INT8 files and makes words, on a few small libraries;
 * libbrainquant_c_torch also runs fp32, FP16, checkpoint folders and the engine "libtorch", on LibTorch.
 *
 * Stable: functions and structs here keep their meaning; what is added later comes as new functions, or at the end of
 * structs that carry their size. No C++ exception leaves a function.
 *
 * Functions that return int or int64_t give a negative bq_status when they fail; bq_last_error() then says what went
 * wrong. Strings are UTF-8, end with a 0, and belong to the library: those of a model until the model is closed.
 * Functions may be called from any thread; calls on one model and its decoders wait for each other, but two threads
 * must not use one decoder.
 */
#ifndef BRAINQUANT_C_API_H
#define BRAINQUANT_C_API_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define BQ_API
#else
#define BQ_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when functions are added. */
#define BQ_ABI_VERSION 2

enum bq_status {
  BQ_OK = 0,
  BQ_LOGITS_READY = 1,
  BQ_ERROR_ARGUMENT = -1, /* a null pointer, a struct's size, too little room */
  BQ_ERROR_USAGE = -2,    /* an option, a session or a trial outside what the model has */
  BQ_ERROR_FILE = -3,     /* a file that is missing or can't be read */
  BQ_ERROR_FORMAT = -4,   /* a file that is not what it must be */
  BQ_ERROR_WORK = -5,     /* features or logits that are not finite, features beyond 1e30, an engine that failed */
  BQ_ERROR_MEMORY = -6,
  BQ_ERROR_INTERNAL = -7
};

typedef struct bq_model bq_model;     /* an open model and its engine */
typedef struct bq_decoder bq_decoder; /* a trial that is decoded bin by bin */

/* All members zero: the defaults. */
typedef struct bq_model_options {
  size_t size;        /* sizeof(bq_model_options) */
  const char* engine; /* "reference", "libtorch", "native"; NULL: the default for the model */
  const char* kernel; /* of the native engine; NULL: $BRAINQUANT_KERNEL, or the CPU's best */
  int32_t threads;    /* 0: all cores that this process may use */
} bq_model_options;

/* A trial to decode as a whole. */
typedef struct bq_trial {
  const float* features; /* [bins, bq_model_features()] */
  int64_t bins;          /* of 20 ms */
  int64_t session_index;
  float* logits;         /* [step_capacity, bq_model_classes()], written */
  int64_t step_capacity; /* at least bq_model_steps() */
  int64_t steps;         /* written */
} bq_trial;

BQ_API int32_t bq_abi_version(void);
BQ_API const char* bq_version(void);
/* What the last call that failed in this thread said; "" if none has. Bytes of a path that are not UTF-8 are U+FFFD
 * there. Until the next call that fails in it. */
BQ_API const char* bq_last_error(void);

/* Opens a quantized file, or, in libbrainquant_c_torch, a checkpoint folder (then in fp32, on the CPU). `options` may
 * be NULL. */
BQ_API int bq_model_open(const char* path, const bq_model_options* options, bq_model** model);
/* Decoders may outlive the model. NULL is allowed. */
BQ_API void bq_model_close(bq_model* model);

BQ_API int64_t bq_model_features(const bq_model* model); /* values in a bin */
BQ_API int64_t bq_model_classes(const bq_model* model);  /* values in a step's logits */
BQ_API int64_t bq_model_sessions(const bq_model* model);
BQ_API const char* bq_model_session_name(const bq_model* model, int64_t session_index); /* NULL: no such session */
BQ_API int64_t bq_model_session_index(const bq_model* model, const char* session);
BQ_API double bq_model_step_seconds(const bq_model* model);        /* from one step's logits to the next */
BQ_API int64_t bq_model_bins_before_logits(const bq_model* model); /* recorded bins that give the first step's logits */
/* Steps that a trial has: of `bins` bins as recorded, or (smoothed != 0) after smoothing. */
BQ_API int64_t bq_model_steps(const bq_model* model, int64_t bins, int smoothed);
BQ_API const char* bq_model_method(const bq_model* model);       /* "fp32", "dynamic_qint8", ... */
BQ_API const char* bq_model_engine(const bq_model* model);       /* "native", ... */
BQ_API const char* bq_model_instructions(const bq_model* model); /* "avx2", ... */

/* Decodes whole trials, those of a call side by side. Features are as recorded, or (smoothed != 0) smoothed already.
 * Logits that are not finite (weights and features so large that the computation overflows) are BQ_ERROR_WORK.
 * When it fails, what lies in `logits` and `steps` means nothing. */
BQ_API int bq_decode_trials(bq_model* model, bq_trial* trials, int64_t count, int smoothed);

BQ_API int bq_decoder_create(bq_model* model, int64_t session_index, bq_decoder** decoder);
BQ_API void bq_decoder_free(bq_decoder* decoder); /* NULL is allowed */
/* Takes one bin as recorded [bq_model_features()]. BQ_LOGITS_READY: it completes a step, whose logits
 * [bq_model_classes()] were written. BQ_OK: it does not. A bin that is not finite or goes beyond 1e30
 * (BQ_ERROR_WORK) is not taken; the trial can go on. If the logits are not finite (BQ_ERROR_WORK, and bq_decoder_bins()
 * has gone up), only bq_decoder_reset() helps. */
BQ_API int bq_decoder_push(bq_decoder* decoder, const float* bin, float* logits);
/* Does, between two bins, what the next step needs and is known already. Called or not, the logits are the same. */
BQ_API int bq_decoder_prepare(bq_decoder* decoder);
/* Back to the start of a trial, of any session. */
BQ_API int bq_decoder_reset(bq_decoder* decoder, int64_t session_index);
/* A decoder that goes on from the same bin, on its own. */
BQ_API int bq_decoder_copy(const bq_decoder* decoder, bq_decoder** copy);
BQ_API int64_t bq_decoder_bins(const bq_decoder* decoder);  /* taken since the start of the trial */
BQ_API int64_t bq_decoder_steps(const bq_decoder* decoder); /* whose logits were given since then */

/* Words of logits, with a decoding graph (docs/language-models.md) of the 41 classes. The answers are those of
 * evaluate_quantized_model --lm wfst, bit for bit. */
typedef struct bq_graph bq_graph; /* an open graph: any number of trials, in any threads, may use it at once */
typedef struct bq_words bq_words; /* the words of one trial at a time; for one thread at a time */

/* An option by its name, as evaluate_quantized_model has it: "lm_preset" ("server", the default, or "published"),
 * "beam", "max_active", "min_active", "lattice_beam", "acoustic_scale", "blank_penalty", "ctc_blank_skip_threshold",
 * "length_penalty", "nbest". */
typedef struct bq_option {
  const char* name;
  const char* value; /* "17", "published" */
} bq_option;

/* A sentence that the language model thinks possible. Higher scores are better. */
typedef struct bq_sentence {
  const char* text; /* until the next call on its bq_words */
  double acoustic;
  double ngram;
  double total;
} bq_sentence;

/* Opens a folder with TLG.fst and words.txt; an aligned TLG.fst is mapped, so that processes share it. `rescore_lm`:
 * NULL, or an ARPA model or grammar (G.fst) to rescore with. */
BQ_API int bq_graph_open(const char* folder, const char* rescore_lm, bq_graph** graph);
/* What was made with it may outlive it. NULL is allowed. */
BQ_API void bq_graph_close(bq_graph* graph);
/* `options` may be NULL if `count` is 0. */
BQ_API int bq_words_create(const bq_graph* graph, const bq_option* options, int64_t count, bq_words** words);
BQ_API void bq_words_free(bq_words* words); /* NULL is allowed */
/* Takes one step's logits [41]. */
BQ_API int bq_words_push(bq_words* words, const float* logits);
/* The best words so far, "" if there are none; until the next call on `words`. NULL if it fails. */
BQ_API const char* bq_words_partial(bq_words* words);
/* Ends the trial and returns the number of sentences, which bq_words_sentence() gives, the best first (rank 0). */
BQ_API int64_t bq_words_finish(bq_words* words);
BQ_API int bq_words_sentence(const bq_words* words, int64_t rank, bq_sentence* sentence);
BQ_API int bq_words_reset(bq_words* words); /* begins a new trial */

/* Phonemes of a trial's logits [steps, classes]. The 41 classes are BLANK, the phonemes AA to ZH, and "|", the silence
 * between words. */
BQ_API const char* bq_class_name(int64_t class_index); /* NULL: no such class */
/* Writes class numbers and returns how many; `capacity` may be `steps`. ctc_order 0: blanks are dropped first, then
 * repeats merged (the published order); otherwise textbook CTC, the other way round. */
BQ_API int64_t bq_phonemes(const float* logits, int64_t steps, int64_t classes, int ctc_order, int32_t* phonemes,
                           int64_t capacity);

#ifdef __cplusplus
}
#endif

#endif
