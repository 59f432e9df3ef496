// The shape of a decoder and how its features are prepared: what args.yaml says of a trained model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace brainquant {

/// Gaussian smoothing along time, before the model (args.yaml dataset.data_transforms).
struct SmoothingConfig {
  bool smooth_data = true;
  double smooth_kernel_std = 2.0;         // bins of 20 ms
  std::int64_t smooth_kernel_size = 100;  // bins; nominal, the taps kept are far fewer
};

/// Length of a bin, as the recordings have it.
inline constexpr double kSecondsPerBin = 0.02;

/// Largest magnitude of a feature or a weight that is taken: beyond it sums inside a decoder can overflow, and the
/// kernels no longer agree bit for bit.
inline constexpr float kLargestMagnitude = 1e30F;

struct DecoderConfig {
  std::int64_t n_input_features = 512;
  std::int64_t n_units = 768;
  std::int64_t n_layers = 5;
  std::int64_t n_classes = 41;
  std::int64_t patch_size = 14;       // bins in a patch; 0: every bin is a step of its own
  std::int64_t patch_stride = 4;      // bins from one patch to the next
  std::vector<std::string> sessions;  // in the order of the day layers
  SmoothingConfig smoothing;

  /// Bins that one step sees: patch_size, or 1 without patches.
  std::int64_t bins_per_step() const { return patch_size > 0 ? patch_size : 1; }
  /// Bins from one step to the next: patch_stride, or 1 without patches.
  std::int64_t bins_between_steps() const { return patch_size > 0 ? patch_stride : 1; }
  /// Width of layer 0's input: patch_size * n_input_features, bin-major.
  std::int64_t step_input_size() const { return bins_per_step() * n_input_features; }
  /// Inputs of a GRU layer that belong together: a bin's features in layer 0, the whole row elsewhere.
  std::int64_t run_of_layer(std::int64_t layer) const { return layer == 0 ? n_input_features : n_units; }
  /// Steps that `bins` smoothed bins give: (bins - patch_size) / patch_stride + 1, or 0 if too few.
  std::int64_t steps_of(std::int64_t bins) const {
    return bins < bins_per_step() ? 0 : (bins - bins_per_step()) / bins_between_steps() + 1;
  }
  /// Parameters of the fp32 model (day layers, GRU, output layer and h0).
  std::int64_t parameter_count() const;
  /// Their size: 4 bytes for each.
  std::int64_t fp32_bytes() const { return 4 * parameter_count(); }
  /// Index of a session's day layer, or -1.
  std::int64_t session_index(const std::string& session) const;
};

}  // namespace brainquant
