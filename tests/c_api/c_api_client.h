/* What the C part of the test (c_api_client.c) offers to the C++ part. */
#ifndef BRAINQUANT_TESTS_C_API_CLIENT_H
#define BRAINQUANT_TESTS_C_API_CLIENT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opens `path`, streams `features` [bins, features per bin] through a decoder of `session`, with a copy of it taking
 * over halfway, and writes logits [at most step_capacity steps]. Returns the number of steps, or a negative bq_status.
 */
int64_t c_client_stream(const char* path, const char* session, const float* features, int64_t bins, float* logits,
                        int64_t step_capacity);

#ifdef __cplusplus
}
#endif

#endif
