#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "hexquant/encoding.h"

namespace hexquant::quant {

/// The weights of a layer y = W x + b as one matrix [rows, columns] for each conv group: rows are
/// outputs, columns the inputs that are summed, ordered (input channel, kernel row, kernel column).
///
/// Conv [M, C/g, k...], ConvTranspose [C, M/g, k...], Gemm [K, N] or [N, K] (transB), MatMul with
/// one constant matrix on either side.
class WeightMatrix {
 public:
  /// Absent for other operations, convolutions of more than 2 axes, batched MatMul weights,
  /// computed weights, and Gemm with alpha or beta other than 1.
  [[nodiscard]] static std::optional<WeightMatrix> find(const graph::Graph& graph,
                                                        const graph::Node& node);

  [[nodiscard]] std::int64_t groups() const noexcept { return groups_; }
  [[nodiscard]] std::int64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::int64_t columns() const noexcept { return columns_; }
  /// Columns of one input channel: kernel positions.
  [[nodiscard]] std::int64_t taps() const noexcept { return taps_; }
  [[nodiscard]] int weight_input() const noexcept { return weight_input_; }

  /// Tensor order -> [groups, rows, columns].
  [[nodiscard]] std::vector<float> to_matrix(std::span<const float> weight) const;
  /// [groups, rows, columns] -> tensor order.
  [[nodiscard]] std::vector<float> from_matrix(std::span<const float> matrix) const;
  /// Scales ordered (group, row, block) -> the order of the encoding's scale tensor. Only blocks
  /// along the rows of a matrix stored [columns, rows] change places.
  template <typename T>
  [[nodiscard]] std::vector<T> to_scale_order(const std::vector<T>& scales,
                                              Granularity granularity) const {
    if (granularity != Granularity::kGroup || row_stride_ != 1 || groups_ != 1) return scales;
    std::vector<T> ordered(scales.size());
    const std::size_t blocks = scales.size() / static_cast<std::size_t>(rows_);
    for (std::size_t r = 0; r < static_cast<std::size_t>(rows_); ++r) {
      for (std::size_t b = 0; b < blocks; ++b) {
        ordered[b * static_cast<std::size_t>(rows_) + r] = scales[r * blocks + b];
      }
    }
    return ordered;
  }

 private:
  [[nodiscard]] std::size_t index(std::int64_t group, std::int64_t row,
                                  std::int64_t column) const noexcept {
    return static_cast<std::size_t>(group * group_stride_ + row * row_stride_ +
                                    column / taps_ * channel_stride_ + column % taps_);
  }

  int weight_input_ = 1;
  std::int64_t groups_ = 1;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t taps_ = 1;
  std::int64_t group_stride_ = 0;
  std::int64_t row_stride_ = 0;
  std::int64_t channel_stride_ = 1;
};

}  // namespace hexquant::quant
