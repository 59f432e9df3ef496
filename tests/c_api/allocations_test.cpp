// A live decoder allocates nothing once it has given its first logits: every allocation of this process goes by here.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

#include "brainquant/c_api.h"
#include "io/scratch_folder.h"
#include "quantization/quantized_file.h"
#include "runtime/random_checkpoint.h"

#if !defined(__SANITIZE_ADDRESS__)

namespace {

std::atomic<long> allocations{0};

}  // namespace

// glibc's own, under their other names.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  ++allocations;
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
}

namespace brainquant {
namespace {

TEST(Allocations, NoneAfterTheFirstStep) {
  const ScratchFolder folder;
  DecoderConfig config;
  config.n_input_features = 30;
  config.n_units = 40;
  config.n_layers = 3;
  config.sessions = {"t15.2023.08.11"};
  std::mt19937 random(2);
  const std::vector<float> bins = testing::normal_values(200 * config.n_input_features, 1.0F, random);
  for (const QuantizationOptions& method : {all_methods()[0], all_methods()[2]}) {
    save_quantized_model(testing::quantized(testing::random_checkpoint(config), method), folder / "q.pt");
    for (const std::int32_t threads : {1, 2}) {
      SCOPED_TRACE(method.method_name() + ", " + std::to_string(threads) + " threads");
      bq_model_options options = {};
      options.size = sizeof options;
      options.threads = threads;
      bq_model* model = nullptr;
      bq_decoder* decoder = nullptr;
      const long before = allocations;
      ASSERT_EQ(bq_model_open((folder / "q.pt").c_str(), &options, &model), BQ_OK) << bq_last_error();
      ASSERT_EQ(bq_decoder_create(model, 0, &decoder), BQ_OK);
      EXPECT_GT(allocations, before) << "this test does not see allocations";
      float logits[41];
      std::size_t at = 0;
      const auto push = [&] {
        const int status = bq_decoder_push(decoder, bins.data() + at, logits);
        at += static_cast<std::size_t>(config.n_input_features);
        bq_decoder_prepare(decoder);
        return status;
      };
      while (push() != BQ_LOGITS_READY) {
      }
      const long ready = allocations;
      int steps = 0;
      while (at < bins.size()) steps += push() == BQ_LOGITS_READY ? 1 : 0;
      const int reset = bq_decoder_reset(decoder, 0);
      const long after = allocations;
      EXPECT_EQ(after, ready);
      EXPECT_EQ(reset, BQ_OK);
      EXPECT_GT(steps, 10);
      bq_decoder_free(decoder);
      bq_model_close(model);
    }
  }
}

}  // namespace
}  // namespace brainquant

#endif
