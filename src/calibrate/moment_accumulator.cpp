#include "calibrate/moment_accumulator.h"

#include <algorithm>
#include <utility>

#include "core/parallel.h"
#include "hexquant/error.h"
#include "linalg/product.h"

namespace hexquant::calibrate {
namespace {

/// Edge of the square parts into which a large matrix of sums is cut.
constexpr std::int64_t kPart = 256;

std::size_t unsigned_size(std::int64_t value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

MomentAccumulator::MomentAccumulator(std::int64_t groups, std::int64_t rows, std::int64_t columns,
                                     int threads)
    : threads_(threads) {
  moments_.groups = groups;
  moments_.rows = rows;
  moments_.columns = columns;
  moments_.gram.resize(unsigned_size(groups * columns * columns));
  moments_.cross.resize(unsigned_size(groups * rows * columns));
  moments_.mean.resize(unsigned_size(groups * columns));
  target_sum_.resize(unsigned_size(groups * rows));
}

void MomentAccumulator::add(std::vector<float>& inputs, std::vector<float>& targets,
                            std::int64_t count) {
  if (count == 0) return;
  const std::int64_t n = moments_.columns;
  const std::int64_t m = moments_.rows;
  centre(inputs, count, n, input_shift_, moments_.mean);
  centre(targets, count, m, target_shift_, target_sum_);
  if (moments_.groups == 1) {
    add_dense(inputs.data(), targets.data(), count);
  } else {
    parallel_for(moments_.groups, threads_, [&](std::int64_t g) {
      add_group(g, inputs.data() + g * count * n, targets.data() + g * count * m, count);
    });
  }
  moments_.count += count;
}

void MomentAccumulator::centre(std::vector<float>& values, std::int64_t count, std::int64_t width,
                               std::vector<float>& shift, std::vector<double>& sum) const {
  const bool first = shift.empty();
  if (first) shift.resize(unsigned_size(moments_.groups * width));
  const std::int64_t parts = (width + kPart - 1) / kPart;
  parallel_for(moments_.groups * parts, threads_, [&](std::int64_t task) {
    const std::int64_t g = task / parts;
    const std::int64_t begin = task % parts * kPart;
    const std::int64_t columns = std::min(kPart, width - begin);
    float* const rows = values.data() + g * count * width + begin;
    float* const offset = shift.data() + g * width + begin;
    std::vector<double> total(unsigned_size(columns));
    for (std::int64_t p = 0; p < count; ++p) {
      for (std::int64_t c = 0; c < columns; ++c) total[unsigned_size(c)] += rows[p * width + c];
    }
    for (std::int64_t c = 0; c < columns; ++c) {
      double& column = total[unsigned_size(c)];
      if (first) offset[c] = static_cast<float>(column / static_cast<double>(count));
      column -= static_cast<double>(offset[c]) * static_cast<double>(count);
      sum[unsigned_size(g * width + begin + c)] += column;
    }
    for (std::int64_t p = 0; p < count; ++p) {
      for (std::int64_t c = 0; c < columns; ++c) rows[p * width + c] -= offset[c];
    }
  });
}

void MomentAccumulator::add_dense(const float* inputs, const float* targets, std::int64_t count) {
  struct Part {
    bool cross;
    std::int64_t row, column;
  };
  const std::int64_t n = moments_.columns;
  const std::int64_t m = moments_.rows;
  std::vector<Part> parts;
  for (std::int64_t j = 0; j < n; j += kPart) {
    for (std::int64_t i = 0; i <= j; i += kPart) parts.push_back({false, i, j});
    for (std::int64_t i = 0; i < m; i += kPart) parts.push_back({true, i, j});
  }
  parallel_for(static_cast<std::int64_t>(parts.size()), threads_, [&](std::int64_t index) {
    const Part& part = parts[unsigned_size(index)];
    const float* const left = part.cross ? targets : inputs;
    float* const sums = part.cross ? moments_.cross.data() : moments_.gram.data();
    const std::int64_t stride = part.cross ? m : n;
    linalg::add_product({.rows = std::min(kPart, stride - part.row),
                         .columns = std::min(kPart, n - part.column),
                         .inner = count,
                         .transpose_a = true},
                        left + part.row, stride, inputs + part.column, n,
                        sums + part.row * n + part.column, n);
  });
}

void MomentAccumulator::add_group(std::int64_t group, const float* inputs, const float* targets,
                                  std::int64_t count) {
  const std::int64_t n = moments_.columns;
  const std::int64_t m = moments_.rows;
  linalg::add_product({.rows = n, .columns = n, .inner = count, .transpose_a = true}, inputs, n,
                      inputs, n, moments_.gram.data() + group * n * n, n);
  linalg::add_product({.rows = m, .columns = n, .inner = count, .transpose_a = true}, targets, m,
                      inputs, n, moments_.cross.data() + group * m * n, n);
}

quant::LayerMoments MomentAccumulator::finish() {
  HEXQUANT_CHECK(moments_.count > 0, "no positions for the moments of a layer");
  const std::int64_t n = moments_.columns;
  const std::int64_t m = moments_.rows;
  const auto count = static_cast<double>(moments_.count);
  for (double& value : moments_.mean) value /= count;
  for (double& value : target_sum_) value /= count;
  parallel_for(moments_.groups, threads_, [&](std::int64_t g) {
    const double* const mean = moments_.mean.data() + g * n;
    float* const gram = moments_.gram.data() + g * n * n;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = i; j < n; ++j) {
        const double sum = gram[i * n + j];
        gram[i * n + j] = gram[j * n + i] = static_cast<float>(sum / count - mean[i] * mean[j]);
      }
    }
    float* const cross = moments_.cross.data() + g * m * n;
    for (std::int64_t r = 0; r < m; ++r) {
      const double target = target_sum_[unsigned_size(g * m + r)];
      for (std::int64_t c = 0; c < n; ++c) {
        cross[r * n + c] = static_cast<float>(cross[r * n + c] / count - target * mean[c]);
      }
    }
  });
  for (std::size_t i = 0; i < moments_.mean.size(); ++i) moments_.mean[i] += input_shift_[i];
  for (std::size_t i = 0; i < target_sum_.size(); ++i) target_sum_[i] += target_shift_[i];
  moments_.target_mean = std::move(target_sum_);
  return std::move(moments_);
}

}  // namespace hexquant::calibrate
