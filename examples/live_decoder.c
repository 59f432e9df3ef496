/* Bins in, words out: reads recorded bins (float32, one after the other) from stdin and prints the words as they come.
 *   live_decoder MODEL.pt SESSION GRAPH < bins        live_decoder --selftest MODEL.pt [THREADS] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "brainquant/c_api.h"

int selftest(const char* path, int threads); /* selftest.c */

static int failed(void) {
  fprintf(stderr, "live_decoder: %s\n", bq_last_error());
  return 1;
}

int main(int argc, char** argv) {
  bq_model* model = NULL;
  bq_decoder* decoder = NULL;
  bq_graph* graph = NULL;
  bq_words* words = NULL;
  bq_sentence best;
  char said[4096] = "";
  int status = BQ_OK;
  if (argc >= 3 && strcmp(argv[1], "--selftest") == 0) return selftest(argv[2], argc > 3 ? atoi(argv[3]) : 0);
  if (argc != 4) {
    fprintf(stderr,
            "usage: live_decoder MODEL.pt SESSION GRAPH < bins, or live_decoder --selftest MODEL.pt [THREADS]\n");
    return 2;
  }
  if (bq_model_open(argv[1], NULL, &model) < 0 || bq_graph_open(argv[3], NULL, &graph) < 0) return failed();
  int64_t session = bq_model_session_index(model, argv[2]);
  if (session < 0 || bq_decoder_create(model, session, &decoder) < 0 || bq_words_create(graph, NULL, 0, &words) < 0) {
    return failed();
  }
  size_t features = (size_t)bq_model_features(model);
  float* bin = malloc(features * sizeof *bin);
  float* logits = malloc((size_t)bq_model_classes(model) * sizeof *logits);
  while (bin != NULL && logits != NULL && fread(bin, sizeof *bin, features, stdin) == features) {
    status = bq_decoder_push(decoder, bin, logits);
    if (status == BQ_LOGITS_READY) status = bq_words_push(words, logits);
    const char* now = status < 0 ? NULL : bq_words_partial(words);
    if (now == NULL) return failed();
    if (strcmp(now, said) != 0) printf("%s\n", strncpy(said, now, sizeof said - 1));
    bq_decoder_prepare(
        decoder); /* what the next step needs and is known already: between two bins is the time for it */
  }
  if (bq_words_finish(words) > 0 && bq_words_sentence(words, 0, &best) == BQ_OK) printf("= %s\n", best.text);
  bq_words_free(words);
  bq_decoder_free(decoder);
  bq_graph_close(graph);
  bq_model_close(model);
  free(bin);
  free(logits);
  return 0;
}
