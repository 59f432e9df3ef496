/* A program in C that uses the library as a live system would. */
#include "c_api/c_api_client.h"

#include "brainquant/c_api.h"

int64_t c_client_stream(const char* path, const char* session, const float* features, int64_t bins, float* logits,
                        int64_t step_capacity) {
  bq_model_options options = {0};
  bq_model* model = NULL;
  bq_decoder* decoder = NULL;
  bq_decoder* copy = NULL;
  int64_t steps = 0;
  int64_t t;
  int64_t n_features, n_classes, session_index;
  int status;

  options.size = sizeof options;
  options.threads = 2;
  status = bq_model_open(path, &options, &model);
  if (status != BQ_OK) return status;
  n_features = bq_model_features(model);
  n_classes = bq_model_classes(model);
  session_index = bq_model_session_index(model, session);
  status = session_index < 0 ? (int)session_index : bq_decoder_create(model, session_index, &decoder);
  bq_model_close(model); /* the decoder keeps what it needs */
  for (t = 0; t < bins && status >= 0; ++t) {
    if (t == bins / 2) {
      status = bq_decoder_copy(decoder, &copy);
      bq_decoder_free(decoder);
      decoder = copy;
      if (status < 0) break;
    }
    if (steps == step_capacity) break;
    status = bq_decoder_push(decoder, features + t * n_features, logits + steps * n_classes);
    if (status == BQ_LOGITS_READY) ++steps;
    if (status >= 0) status = bq_decoder_prepare(decoder);
  }
  if (status >= 0 && bq_decoder_steps(decoder) != steps) status = BQ_ERROR_INTERNAL;
  bq_decoder_free(decoder);
  return status < 0 ? status : steps;
}
