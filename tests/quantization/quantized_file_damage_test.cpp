// Damaged and hostile quantized files: a typed error that names file and field, or the identical model; never a crash.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "brainquant/runtime/quantized_engine.h"
#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "io/torch_archive.h"
#include "quantization/quantized_file.h"
#include "quantization/quantizer.h"
#include "quantization/same_model.h"
#include "support/error_message.h"
#include "support/sha256.h"
#include "support/small_decoder.h"

namespace brainquant {
namespace {

using testing::expect_contains;
using testing::message_of;
using testing::random_model;

constexpr testing::Shape kShape{2, 3, 1, 2, 0, 0, 1};

QuantizationOptions per_channel_static() { return testing::to_nearest(all_methods()[3]); }

// Every fifth byte, each with another bit: the steps share no factor with the lengths that the format aligns to.
void check_flipped_bytes(const QuantizationOptions& options) {
  const ScratchFolder folder;
  const QuantizedModel model = random_model(kShape, options, 5);
  save_quantized_model(model, folder / "whole.pt");
  const std::string whole = bytes_of(folder / "whole.pt");
  int refused = 0, unharmed = 0;
  for (std::size_t at = 0; at < whole.size(); at += 5) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    write_bytes(folder / "damaged.pt", damaged);
    try {
      const QuantizedModel found = load_quantized_model(folder / "damaged.pt");
      ASSERT_TRUE(testing::same(found, model)) << "another model by a flip of byte " << at;
      ++unharmed;
    } catch (const Error& error) {
      ASSERT_NE(std::string(error.what()).find("damaged.pt"), std::string::npos) << error.what();
      ++refused;
    }
  }
  // Padding and fields of the zip that no reader looks at are harmless; what matters is not.
  EXPECT_GT(refused, unharmed / 4);
  EXPECT_GT(refused, 400);
}

TEST(DamagedQuantizedFile, FlippedBytes) {
  check_flipped_bytes(per_channel_static());
  check_flipped_bytes(testing::int4_ways()[0]);
}

TEST(DamagedQuantizedFile, Truncations) {
  const ScratchFolder folder;
  save_quantized_model(random_model(kShape, per_channel_static(), 5), folder / "whole.pt");
  const std::string whole = bytes_of(folder / "whole.pt");
  for (std::size_t size = 0; size < whole.size(); size += size + 200 < whole.size() ? 53 : 3) {
    write_bytes(folder / "short.pt", whole.substr(0, size));
    ASSERT_THROW(load_quantized_model(folder / "short.pt"), Error) << size;
  }
  EXPECT_THROW(load_quantized_model(folder / "absent.pt"), FileError);
}

/// A file of our own making: the saved root with one thing changed.
class Forger {
 public:
  explicit Forger(const QuantizationOptions& options = per_channel_static()) {
    save_quantized_model(random_model(kShape, options, 5), folder_ / "whole.pt");
  }

  /// The message by which a file whose dict `section` (or "" for the root) has `key` replaced is refused.
  std::string refusal(const std::string& section, const std::string& key, std::optional<PickleValue> value) {
    write([&](const std::string& where, PickleValue::Entries& entries, TorchArchiveWriter&) {
      if (where == section) replace(entries, key, value);
    });
    // Neither does the engine take it, which reads matrix by matrix on several threads.
    EngineOptions options;
    options.threads = 3;
    EXPECT_THROW(open_quantized_engine(folder_ / "forged.pt", options), Error);
    return message_of<FormatError>([&] { load_quantized_model(folder_ / "forged.pt"); });
  }

  /// The same for a tensor, with the checksum that goes with it.
  template <typename T>
  std::string tensor_refusal(const std::string& name, TensorType type, std::vector<std::int64_t> shape,
                             const std::vector<T>& values, bool fix_checksum = true) {
    write([&](const std::string& where, PickleValue::Entries& entries, TorchArchiveWriter& archive) {
      if (where == "tensors") replace(entries, name, archive.add_tensor(type, shape, values.data()));
      if (where == "checksums" && fix_checksum)
        replace(entries, name, sha256_of_bytes(values.data(), values.size() * sizeof(T)));
    });
    // Neither does the engine take it, which reads matrix by matrix on several threads.
    EngineOptions options;
    options.threads = 3;
    EXPECT_THROW(open_quantized_engine(folder_ / "forged.pt", options), Error);
    return message_of<FormatError>([&] { load_quantized_model(folder_ / "forged.pt"); });
  }

  void write(const std::function<void(const std::string&, PickleValue::Entries&, TorchArchiveWriter&)>& change) {
    const TorchArchiveReader whole(folder_ / "whole.pt");
    TorchArchiveWriter archive(folder_ / "forged.pt");
    PickleValue::Entries root = *whole.root().if_dict();
    for (auto& [key, value] : root) {
      if (value.if_dict() == nullptr) continue;
      const std::string section = *key.if_string();
      PickleValue::Entries entries = *value.if_dict();
      if (section == "tensors") {
        for (auto& [name, tensor] : entries) tensor = copied(whole, archive, *name.if_string());
      }
      change(section, entries, archive);
      value = PickleValue::dict(entries);
    }
    change("", root, archive);
    archive.commit(PickleValue::dict(root));
  }
  std::filesystem::path forged() const { return folder_ / "forged.pt"; }

 private:
  static void replace(PickleValue::Entries& entries, const std::string& key, const std::optional<PickleValue>& value) {
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
      if (*entry->first.if_string() != key) continue;
      if (value) {
        entry->second = *value;
      } else {
        entries.erase(entry);
      }
      return;
    }
    entries.emplace_back(key, *value);
  }

  static PickleValue copied(const TorchArchiveReader& from, TorchArchiveWriter& to, const std::string& name) {
    const PickleField field = from.root_field().at("tensors").at(name);
    const PickleTensor& tensor = field.as_tensor();
    if (tensor.storage.type == TensorType::int8)
      return to.add_tensor(TensorType::int8, tensor.shape, from.read_int8(field).data());
    if (tensor.storage.type == TensorType::uint8)
      return to.add_tensor(TensorType::uint8, tensor.shape, from.read_uint8(field).data());
    return to.add_tensor(TensorType::float32, tensor.shape, from.read_float32(field).data());
  }

  ScratchFolder folder_;
};

TEST(HostileQuantizedFile, AForgeryWithNothingChangedIsRead) {
  Forger forger;
  forger.write([](const std::string&, PickleValue::Entries&, TorchArchiveWriter&) {});
  testing::expect_same_model(load_quantized_model(forger.forged()), random_model(kShape, per_channel_static(), 5));
}

TEST(HostileQuantizedFile, HeadsThatCannotBe) {
  Forger f;
  expect_contains(f.refusal("", "format", "other"), "not a quantized model");
  expect_contains(f.refusal("", "format", std::nullopt), "not a quantized model");
  for (const int version : {0, 3, -1}) expect_contains(f.refusal("", "format_version", version), "format_version");
  expect_contains(f.refusal("", "format_version", "1"), "format_version");
  expect_contains(f.refusal("quantization", "quantization_type", "staticc"), "quantization_type");
  expect_contains(f.refusal("quantization", "dtype", "int4"), "int4");
  expect_contains(f.refusal("quantization", "dtype", "float16"), "float16");
  expect_contains(f.refusal("quantization", "day_layers", 3), "day_layers");
  expect_contains(f.refusal("quantization", "observer", PickleValue()), "observer");
  expect_contains(f.refusal("quantization", "calibration_samples", 0), "calibration_samples");
  for (const char* key : {"n_input_features", "n_units", "n_layers", "n_classes"}) {
    for (const std::int64_t size : {std::int64_t{0}, std::int64_t{-5}, std::int64_t{1} << 40}) {
      expect_contains(f.refusal("model", key, size), key);
    }
    expect_contains(f.refusal("model", key, std::nullopt), key);
  }
  expect_contains(f.refusal("model", "n_units", 4), "found float32 [9], expected float32 [12]");
  expect_contains(f.refusal("model", "patch_size", -1), "patch_size");
  expect_contains(f.refusal("model", "sessions", PickleValue::list({})), "sessions");
  expect_contains(f.refusal("model", "sessions", PickleValue::list({"a", "b"})),
                  "day_sha256: found 1 hashes, expected 2");
  expect_contains(f.refusal("tensors", "day_biases.0", std::nullopt), "day_biases.0: is missing");
  expect_contains(f.refusal("model", "smooth_kernel_std", std::numeric_limits<double>::quiet_NaN()),
                  "smooth_kernel_std");
  expect_contains(f.refusal("provenance", "source_sha256", 7), "source_sha256");
  expect_contains(f.refusal("provenance", "day_sha256", PickleValue::list({7})), "day_sha256");
  expect_contains(f.refusal("provenance", "day_sha256", std::nullopt), "day_sha256");
  expect_contains(f.refusal("provenance", "shared_sha256", 7), "shared_sha256");
  expect_contains(f.refusal("provenance", "added_sessions", PickleValue::list({"a"})), "added_sessions");
  expect_contains(f.refusal("provenance", "args_sha256", std::nullopt), "args_sha256");
  expect_contains(f.refusal("provenance", "calibration_sha256", 7), "calibration_sha256");
  expect_contains(f.refusal("provenance", "libtorch_version", std::nullopt), "libtorch_version");
}

// What args.yaml may not say, a quantized file may not either; always as a fault of the file, by name.
TEST(HostileQuantizedFile, ConfigurationsThatArgsYamlMayNotHave) {
  Forger f;
  for (const double value : {0.0, -2.0, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    const std::string message = f.refusal("model", "smooth_kernel_std", value);
    expect_contains(message, "forged.pt: model.smooth_kernel_std");
  }
  f.write([](const std::string& where, PickleValue::Entries& entries, TorchArchiveWriter&) {
    for (auto& [key, value] : entries) {
      if (where == "model" && *key.if_string() == "smooth_kernel_std") value = 200.0;
      if (where == "model" && *key.if_string() == "smooth_kernel_size") value = 500;
    }
  });
  expect_contains(message_of<FormatError>([&] { load_quantized_model(f.forged()); }),
                  "forged.pt: model: smooth_kernel_std 200 and smooth_kernel_size 500 leave no tap");
  expect_contains(f.refusal("model", "smooth_kernel_size", 100001), "smooth_kernel_size");
  expect_contains(f.refusal("model", "n_classes", 1), "n_classes");
  expect_contains(f.refusal("model", "patch_size", 1001), "patch_size");
  expect_contains(f.refusal("model", "sessions", PickleValue::list({"a", "b", "a"})), "model.sessions[2]");
  for (const char* name : {"", ".", "..", "a/b", "/etc"}) {
    expect_contains(f.refusal("model", "sessions", PickleValue::list({name})), "model.sessions[0]");
  }
  expect_contains(f.refusal("model", "classes", PickleValue::list({"BLANK", "|"})), "model.classes: found 2 names");
  expect_contains(f.refusal("model", "classes", std::nullopt), "classes");
}

TEST(HostileQuantizedFile, NumberFormatsThatContradictTheTensors) {
  Forger f;
  expect_contains(f.refusal("formats", "out.weight", "float16"), "formats.out.weight: found 'float16'");
  expect_contains(f.refusal("formats", "out.weight", std::nullopt), "formats.out.weight");
  expect_contains(f.refusal("formats", "out.weight", "int3"), "formats.out.weight: format: found 'int3'");
  expect_contains(f.refusal("formats", "out.weight", "int4"), "formats.out.weight: found 'int4'");
  expect_contains(f.refusal("formats", "out.weight", 8), "formats.out.weight");
  expect_contains(f.refusal("formats", "out.bias", "int8"), "formats.out.bias: found 'int8'");
  expect_contains(f.refusal("formats", "out.weight.scale", "float16"), "formats.out.weight.scale: found 'float16'");
  expect_contains(f.refusal("formats", "extra", "int8"), "number formats");
  expect_contains(f.refusal("", "formats", std::nullopt), "formats");
}

TEST(HostileQuantizedFile, GranularitiesThatContradictTheScales) {
  Forger f;
  for (const PickleValue& value : {PickleValue("per_tensor"), PickleValue(), PickleValue("per_row"), PickleValue(3)}) {
    expect_contains(f.refusal("quantization", "weight_granularity", value), "quantization.weight_granularity");
  }
  expect_contains(f.tensor_refusal<float>("gru.weight_hh_l0.scale", TensorType::float32, {1}, {1.0F}),
                  "gru.weight_hh_l0.scale: found float32 [1], expected float32 [9]: the weights are per_channel");
  Forger per_tensor(all_methods()[2]);
  expect_contains(per_tensor.tensor_refusal<float>("out.weight.scale", TensorType::float32, {2}, {1.0F, 1.0F}),
                  "out.weight.scale: found float32 [2], expected float32 [1]: the weights are per_tensor");
}

TEST(HostileQuantizedFile, MagnitudesBeyondTheLargest) {
  Forger f;
  const float beyond = std::nextafter(1e30F, 2e30F);
  expect_contains(f.tensor_refusal<float>("out.bias", TensorType::float32, {2}, {0.0F, -beyond}),
                  "out.bias: a magnitude");
  expect_contains(f.tensor_refusal<float>("out.weight.scale", TensorType::float32, {2}, {1.0F, beyond}),
                  "out.weight.scale: a magnitude");
  expect_contains(f.tensor_refusal<float>("out.weight.scale", TensorType::float32, {2}, {1.0F, 1e29F}),
                  "out.weight: row 1");  // of which some weight is 127
  expect_contains(f.refusal("activation_scales", "day_input", 1e28), "activation_scales.day_input");
}

// A checkpoint at the limit gives a file that can be read again: a scale is rounded, so 127 times it may lie above.
TEST(QuantizedFile, HoldsWeightsAtTheLargestMagnitude) {
  const ScratchFolder folder;
  for (const float largest : {1e30F, 0.999e30F, 0.99999e30F, 0.5e30F}) {
    Checkpoint checkpoint = testing::random_checkpoint(kShape, 5);
    checkpoint.weights.out_weight.values[0] = largest;
    checkpoint.weights.gru[0].weight_hh.values[4] = -largest;
    checkpoint.weights.out_bias[0] = largest;
    ActivationScales scales = testing::tight_scales(kShape);
    scales.day_input = largest / 127;
    for (const QuantizationOptions& options : {per_channel_static(), all_methods()[0], testing::int4_ways()[0]}) {
      const QuantizedModel model =
          quantize(checkpoint, options, options.is_static() ? std::optional(scales) : std::nullopt);
      save_quantized_model(model, folder / "a.pt");
      testing::expect_same_model(load_quantized_model(folder / "a.pt"), model);
    }
  }
}

TEST(HostileQuantizedFile, ScalesThatCannotBe) {
  Forger f;
  for (const double scale : {0.0, -0.5, 1e-38, 1e38, std::numeric_limits<double>::infinity()}) {
    expect_contains(f.refusal("activation_scales", "day_input", scale), "activation_scales.day_input");
    expect_contains(f.refusal("activation_scales", "hidden", PickleValue::list({scale})), "hidden");
  }
  expect_contains(f.refusal("activation_scales", "hidden", PickleValue::list({0.1, 0.1})),
                  "found 2 scales, expected 1");
  expect_contains(f.refusal("", "activation_scales", PickleValue()), "activation_scales");
  for (const float scale :
       {0.0F, -1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    expect_contains(f.tensor_refusal<float>("out.weight.scale", TensorType::float32, {2}, {1.0F, scale}),
                    "out.weight.scale");
  }
  expect_contains(f.tensor_refusal<float>("out.weight.scale", TensorType::float32, {1}, {1.0F}),
                  "expected float32 [2]");
}

// 2 features, 3 units, no patches: weight_ih is [9, 2] with a group a row, weight_hh [9, 3].
TEST(HostileQuantizedFile, FourBitWeightsThatCannotBe) {
  Forger f(testing::int4_ways()[1]);
  using Bytes = std::vector<std::uint8_t>;
  const std::string codes = "gru.weight_hh_l0.codes", groups = "gru.weight_hh_l0.group_scales";
  const auto bytes = [&](const std::string& name, std::vector<std::int64_t> shape, const Bytes& values) {
    return f.tensor_refusal<std::uint8_t>(name, TensorType::uint8, std::move(shape), values);
  };
  expect_contains(bytes(groups, {9, 1}, {1, 2, 3, 4, 5, 6, 7, 0, 9}),
                  "forged.pt: tensors.gru.weight_hh_l0.group_scales: row 7, group 0: found 0, expected 1 to 15");
  expect_contains(bytes(groups, {9, 1}, {1, 2, 3, 0x14, 5, 6, 7, 8, 9}), "group_scales: a nibble of padding is not 0");
  expect_contains(bytes(groups, {9, 2}, Bytes(18, 1)), "group_scales: found uint8 [9, 2], expected uint8 [9, 1]");
  expect_contains(bytes(groups, {8, 1}, Bytes(8, 1)), "group_scales: found uint8 [8, 1], expected uint8 [9, 1]");
  expect_contains(bytes(codes, {9, 1}, Bytes(9, 0)), "codes: found uint8 [9, 1], expected uint8 [9, 2]");
  expect_contains(bytes(codes, {18}, Bytes(18, 0)), "codes: found uint8 [18], expected uint8 [9, 2]");
  Bytes padded(18, 0);
  padded[5] = 0x20;
  expect_contains(bytes(codes, {9, 2}, padded), "codes: a nibble of padding is not 0");
  expect_contains(f.tensor_refusal<std::int8_t>(codes, TensorType::int8, {9, 2}, std::vector<std::int8_t>(18)),
                  "found 'int4', but the tensor is int8 [9, 2]");
  for (const float scale : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN()}) {
    expect_contains(
        f.tensor_refusal<float>("gru.weight_hh_l0.scale", TensorType::float32, {9}, {1, 1, 1, 1, 1, 1, 1, 1, scale}),
        "gru.weight_hh_l0.scale");
  }
  expect_contains(
      f.tensor_refusal<float>("gru.weight_hh_l0.scale", TensorType::float32, {1}, {1}),
      "gru.weight_hh_l0.scale: found float32 [1], expected float32 [9]: 4-bit weights have a scale for each");
  expect_contains(
      f.tensor_refusal<float>("gru.weight_hh_l0.scale", TensorType::float32, {9}, {1, 1, 1, 1, 1, 1, 1, 1, 1e30F}),
      "gru.weight_hh_l0.codes: row 8: a weight's magnitude is above");
  expect_contains(f.refusal("tensors", codes, std::nullopt), "gru.weight_hh_l0");
  expect_contains(f.refusal("tensors", groups, std::nullopt), "group_scales");
  expect_contains(f.refusal("formats", codes, "int8"), "formats.gru.weight_hh_l0.codes: found 'int8'");
  expect_contains(f.refusal("formats", groups, "float32"), "formats.gru.weight_hh_l0.group_scales: found 'float32'");
  // Both kinds of records for one matrix.
  expect_contains(
      f.tensor_refusal<std::int8_t>("gru.weight_hh_l0", TensorType::int8, {9, 3}, std::vector<std::int8_t>(27)),
      "tensors");
  expect_contains(f.refusal("quantization", "weight_rounding", std::nullopt), "weight_rounding");
  expect_contains(f.refusal("quantization", "weight_rounding", "best"), "weight_rounding");
  expect_contains(f.refusal("quantization", "weight_rounding", "gptq"), "gptq_samples");
  expect_contains(f.refusal("quantization", "weight_granularity", "per_tensor"), "weight_granularity");
  expect_contains(f.refusal("quantization", "quantization_type", "static"), "4-bit");
}

TEST(HostileQuantizedFile, RulesForBitsThatCannotBe) {
  Forger f(testing::int4_ways()[3]);
  expect_contains(f.refusal("quantization", "bits", PickleValue::list({"out.weight=4", "*=5"})),
                  "forged.pt: quantization.bits[1]: --bits: found '*=5'");
  expect_contains(f.refusal("quantization", "bits", std::nullopt), "bits");
  expect_contains(f.refusal("quantization", "bits", PickleValue::list({})), "--dtype mixed requires --bits");
  expect_contains(f.refusal("quantization", "bits", "*=4"), "bits");
}

TEST(HostileQuantizedFile, TensorsThatCannotBe) {
  Forger f;
  expect_contains(f.tensor_refusal<std::int8_t>("out.weight", TensorType::int8, {2, 3}, {1, 2, 3, 4, -128, 6}), "-128");
  expect_contains(f.tensor_refusal<std::int8_t>("out.weight", TensorType::int8, {2, 3}, {1, 2, 3, 4, 5, 6}, false),
                  "SHA-256");
  expect_contains(f.tensor_refusal<std::int8_t>("out.weight", TensorType::int8, {3, 2}, {1, 2, 3, 4, 5, 6}), "[3, 2]");
  expect_contains(f.tensor_refusal<float>("out.weight", TensorType::float32, {2, 3}, {1, 2, 3, 4, 5, 6}),
                  "float32 [2, 3]");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_contains(f.tensor_refusal<float>("out.bias", TensorType::float32, {2}, {0.0F, nan}),
                  "out.bias: NaN or infinity");
  expect_contains(f.tensor_refusal<float>("extra", TensorType::float32, {1}, {0.0F}), "expected");
  expect_contains(f.refusal("tensors", "h0", std::nullopt), "h0");
  expect_contains(f.refusal("tensors", "h0", 7), "h0");
  expect_contains(f.refusal("checksums", "h0", std::nullopt), "h0");
}

}  // namespace
}  // namespace brainquant
