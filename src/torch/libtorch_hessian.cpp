// H = X^T X and GPTQ by it. Every product is one of a fixed tile, by one thread: LibTorch's sums depend on how many
// threads share them, so it is tiles that are shared.
#include "torch/libtorch_hessian.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "brainquant/support/error.h"
#include "support/parallel_for.h"
#include "torch/libtorch_environment.h"

namespace brainquant {

namespace {

constexpr double kDamping = 0.01;    // of the diagonal's mean (Frantar et al., GPTQ, 2023, section 3.3)
constexpr std::int64_t kTile = 512;  // inputs
constexpr std::int64_t kInputRowsTogether = 512;
constexpr std::int64_t kRowsTogether = 64;  // output channels that are rounded together
constexpr std::int64_t kColsTogether = 128;

/// work(i) for each i below `count`, shared by threads on each of which LibTorch uses no other. LibTorch's errors
/// become ours.
void for_each_task(std::int64_t count, int threads, const std::function<void(std::int64_t)>& work) {
  parallel_for("GPTQ", static_cast<std::size_t>(count), threads, [&](std::size_t i) {
    const c10::InferenceMode no_gradients;
    set_libtorch_threads(1);
    try {
      work(static_cast<std::int64_t>(i));
    } catch (const c10::Error& error) {
      throw WorkError(std::string("LibTorch: ") + error.what_without_backtrace());
    }
  });
}

/// The part of a matrix that is rounded at a time.
struct Block {
  std::int64_t first_row, rows;
  std::int64_t first_col, cols;
};

class LibTorchHessian : public InputHessian {
 public:
  LibTorchHessian(std::int64_t inputs, int threads) : inputs_(inputs), threads_(threads) {
    for_each_task(1, 1, [&](std::int64_t) { h_ = at::zeros({inputs_, inputs_}, at::kDouble); });
  }

  void add(const float* rows, std::int64_t count, std::int64_t stride) override {
    for (std::int64_t begin = 0; begin < count; begin += kInputRowsTogether) {
      add_slice(rows + begin * stride, std::min(kInputRowsTogether, count - begin), stride);
    }
  }

  // GPTQ works with U, H^-1 = U^T U: each column's error, over U_jj, times the row U_j. is taken from the columns after
  // it. With R = U^-1, H = R R^T, the same codes come from the errors themselves: w_j + sum_{i<j} e_i R_ij / R_jj is
  // rounded (Chee et al., QuIP, 2023, show that the two are one). So nothing is inverted, and R, the
  // Cholesky factor of H with its inputs in reverse, takes H's place in memory.
  void factorize() override {
    for_each_task(1, 1, [&](std::int64_t) {
      at::Tensor diagonal = h_.diagonal();
      const double mean = diagonal.mean().item<double>();
      if (!std::isfinite(mean)) throw WorkError("GPTQ: the inputs' squares are not finite");
      diagonal.add_(mean > 0 ? kDamping * mean : 1.0);  // inputs that are always 0: any weights do
      double* values = h_.mutable_data_ptr<double>();
      std::reverse(values, values + inputs_ * inputs_);  // P H P; its lower triangle is what was summed
      at::Tensor lower_by_columns = h_.t();
      at::Tensor info = at::zeros({}, at::kInt);
      at::linalg_cholesky_ex_out(lower_by_columns, info, lower_by_columns, /*upper=*/true, /*check_errors=*/false);
      if (info.item<int>() != 0) throw WorkError("GPTQ: the inputs' products have no Cholesky factor");
      std::reverse(values, values + inputs_ * inputs_);
    });
  }

  std::vector<std::int8_t> round(const Matrix& weight, const RoundingGrid& grid) const override {
    std::vector<std::int8_t> codes(weight.values.size());
    const std::int64_t groups = (weight.rows + kRowsTogether - 1) / kRowsTogether;
    for_each_task(groups, threads_, [&](std::int64_t group) {
      const std::int64_t first = group * kRowsTogether;
      const std::int64_t rows = std::min(kRowsTogether, weight.rows - first);
      const at::Tensor errors = at::zeros({rows, inputs_}, at::kDouble);
      for (std::int64_t col = 0; col < inputs_; col += kColsTogether) {
        const Block block{first, rows, col, std::min(kColsTogether, inputs_ - col)};
        at::Tensor ahead = at::zeros({rows, block.cols}, at::kDouble);
        if (col > 0) {
          ahead.addmm_(errors.narrow(1, 0, col), h_.narrow(0, 0, col).narrow(1, col, block.cols));
        }
        round_block(weight, grid, block, ahead.mutable_data_ptr<double>(), errors.mutable_data_ptr<double>(),
                    codes.data());
      }
    });
    return codes;
  }

 private:
  void add_slice(const float* rows, std::int64_t count, std::int64_t stride) {
    at::Tensor x;
    for_each_task(1, 1, [&](std::int64_t) {
      const at::Tensor view =
          at::from_blob(const_cast<float*>(rows), {count, inputs_}, {stride, 1}, at::TensorOptions(at::kFloat));
      x = at::empty({count, inputs_}, at::kDouble).copy_(view);
    });
    // The upper triangle, tile by tile.
    std::vector<std::pair<std::int64_t, std::int64_t>> tiles;
    for (std::int64_t i = 0; i < inputs_; i += kTile) {
      for (std::int64_t j = i; j < inputs_; j += kTile) tiles.emplace_back(i, j);
    }
    for_each_task(static_cast<std::int64_t>(tiles.size()), threads_, [&](std::int64_t tile) {
      const auto [i, j] = tiles[static_cast<std::size_t>(tile)];
      const std::int64_t height = std::min(kTile, inputs_ - i);
      const std::int64_t width = std::min(kTile, inputs_ - j);
      at::Tensor sums = h_.narrow(0, i, height).narrow(1, j, width);
      sums.addmm_(x.narrow(1, i, height).t(), x.narrow(1, j, width));
    });
  }

  /// `ahead` [rows, cols] holds what the errors of earlier columns add up to, `errors` [rows, inputs] those themselves.
  void round_block(const Matrix& weight, const RoundingGrid& grid, const Block& block, double* ahead, double* errors,
                   std::int8_t* codes) const {
    const double* factor = h_.const_data_ptr<double>() + block.first_col * inputs_ + block.first_col;
    for (std::int64_t r = 0; r < block.rows; ++r) {
      const std::int64_t row = block.first_row + r;
      double* own_ahead = ahead + r * block.cols;
      for (std::int64_t c = 0; c < block.cols; ++c) {
        const std::int64_t col = block.first_col + c;
        const double step =
            grid.steps[static_cast<std::size_t>(row * grid.groups + grid.group_of[static_cast<std::size_t>(col)])];
        const double* factor_row = factor + c * inputs_;
        const double wanted = weight.row(row)[col] + own_ahead[c] / factor_row[c];
        const double code = std::clamp<double>(std::nearbyint(wanted / step), grid.lowest, grid.highest);
        const double error = weight.row(row)[col] - code * step;
        for (std::int64_t later = c + 1; later < block.cols; ++later) own_ahead[later] += error * factor_row[later];
        errors[r * inputs_ + col] = error;
        codes[row * weight.cols + col] = static_cast<std::int8_t>(code);
      }
    }
  }

  std::int64_t inputs_;
  int threads_;
  at::Tensor h_;  // [inputs, inputs], the upper triangle; after factorize() R
};

}  // namespace

std::unique_ptr<InputHessian> make_libtorch_hessian(std::int64_t inputs, int threads) {
  return std::make_unique<LibTorchHessian>(inputs, threads);
}

}  // namespace brainquant
