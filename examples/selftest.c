/* Is this rig fit for this model? Opening verifies every checksum; then a step's times over 10,000 steps of noise. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "brainquant/c_api.h"

#define STEPS 10000

int selftest(const char* path, int threads);

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return 1e3 * (double)time.tv_sec + 1e-6 * (double)time.tv_nsec;
}

static int by_value(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static void report(const char* what, double* ms, double budget) {
  int within = 0;
  qsort(ms, STEPS, sizeof *ms, by_value);
  while (within < STEPS && ms[within] <= budget) ++within;
  printf("%-22s p50 %7.3f  p99 %7.3f  max %7.3f ms, %d of %d within %.0f ms\n", what, ms[STEPS / 2],
         ms[STEPS - STEPS / 100], ms[STEPS - 1], within, STEPS, budget);
}

/* 0: fit, 1: not, or the model can't be opened. */
int selftest(const char* path, int threads) {
  static double work[STEPS], last_bin[STEPS];
  bq_model_options options = {sizeof options, NULL, NULL, 0};
  bq_model* model = NULL;
  bq_decoder* decoder = NULL;
  unsigned noise = 1;
  struct rusage usage;
  double spent = 0, budget, begin = now_ms();
  const double start = begin;
  int step = -1; /* the first takes a whole patch of bins and is left out */
  options.threads = threads;
  if (bq_model_open(path, &options, &model) < 0 || bq_decoder_create(model, 0, &decoder) < 0) {
    fprintf(stderr, "selftest: %s\n", bq_last_error());
    return 1;
  }
  budget = 1e3 * bq_model_step_seconds(model);
  printf("%s: checksums hold; %s, %s on %s, opened in %.0f ms\n", path, bq_model_method(model), bq_model_engine(model),
         bq_model_instructions(model), now_ms() - begin);
  size_t features = (size_t)bq_model_features(model), i;
  float* bin = malloc(features * sizeof *bin);
  float* logits = malloc((size_t)bq_model_classes(model) * sizeof *logits);
  if (bin == NULL || logits == NULL) return 1;
  while (step < STEPS) {
    for (i = 0; i < features; ++i) {
      noise = noise * 1664525u + 1013904223u;
      bin[i] = (float)(int)(noise >> 8) / 8388608.0f - 1.0f;
    }
    begin = now_ms();
    int status = bq_decoder_push(decoder, bin, logits);
    const double pushed = now_ms() - begin;
    if (status < 0) {
      fprintf(stderr, "selftest: %s\n", bq_last_error());
      return 1;
    }
    spent += pushed;
    if (status == BQ_LOGITS_READY) {
      if (step >= 0) work[step] = spent, last_bin[step] = pushed;
      if (step < 0 && getrusage(RUSAGE_SELF, &usage) == 0) {
        printf("first logits after %.0f ms; %ld MB at the peak\n", now_ms() - start, usage.ru_maxrss / 1024);
      }
      ++step;
      spent = 0;
    }
    begin = now_ms();
    bq_decoder_prepare(decoder);
    spent += now_ms() - begin;
  }
  report("a step's work", work, budget);
  report("last bin to its logits", last_bin, budget);
  printf("%s\n", work[STEPS - 1] <= budget ? "fit" : "NOT fit: a step took longer than the time from one to the next");
  free(bin);
  free(logits);
  bq_decoder_free(decoder);
  bq_model_close(model);
  return work[STEPS - 1] <= budget ? 0 : 1;
}
