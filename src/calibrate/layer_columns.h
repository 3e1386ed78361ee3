#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "runtime/tap_session.h"

namespace hexquant::calibrate {

/// How a layer reads its input: each output position is weights times one input column, cut into
/// `kernel` taps of `channels` values each (one tap for Gemm and MatMul).
///
/// Conv: x[c, o * stride - pad + k * dilation]. ConvTranspose: x[c, i] with
/// i * stride - pad + k * dilation = o, 0 where no such i exists. Zero outside of the input.
class LayerColumns {
 public:
  /// @throws Error(kUnsupported) naming the node when it is no Conv or ConvTranspose of 1 or 2
  ///         spatial axes, Gemm, or MatMul with one constant operand
  LayerColumns(const graph::Graph& graph, const graph::Node& node);

  [[nodiscard]] const std::string& input() const noexcept { return input_; }
  [[nodiscard]] std::int64_t groups() const noexcept { return groups_; }
  [[nodiscard]] std::int64_t channels() const noexcept { return channels_; }
  [[nodiscard]] std::int64_t kernel() const noexcept { return kernel_h_ * kernel_w_; }

  /// Number of output positions for an input of this shape, all batch entries together.
  /// @throws Error(kInvalidData) when the shape does not fit the layer
  [[nodiscard]] std::int64_t position_count(const Shape& input) const;

  /// Columns at `positions` as [positions, kernel, channels]; `columns` is resized.
  void gather(const runtime::TapView& view, std::span<const std::int64_t> positions,
              std::vector<float>& columns) const;

 private:
  enum class Kind { kConv, kConvTranspose, kRows, kColumns };
  struct Axis {
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t dilation = 1;
    std::int64_t pad_begin = 0;
    std::int64_t pad_end = 0;
    std::int64_t output_padding = 0;
    std::int64_t output_size = 0;  ///< ConvTranspose with output_shape; 0 = from the pads
  };
  struct Extent {  ///< of an axis for one input shape
    std::int64_t input = 1;
    std::int64_t output = 1;
    std::int64_t pad_begin = 0;
  };

  void read_conv(const graph::Graph& graph, const graph::Node& node);
  void read_spatial(const graph::Node& node, const Shape& weight);
  void read_gemm(const graph::Graph& graph, const graph::Node& node);
  void read_matmul(const graph::Graph& graph, const graph::Node& node);
  [[nodiscard]] Extent extent(const Axis& axis, std::int64_t input) const;
  /// Input index that tap `k` reads for output index `o`, or -1.
  [[nodiscard]] std::int64_t source(const Axis& axis, const Extent& extent, std::int64_t o,
                                    std::int64_t k) const noexcept;
  void gather_conv(const runtime::TapView& view, std::span<const std::int64_t> positions,
                   float* columns) const;
  void gather_matrix(const runtime::TapView& view, std::span<const std::int64_t> positions,
                     float* columns) const;

  Kind kind_ = Kind::kConv;
  std::string node_;
  std::string input_;
  std::int64_t groups_ = 1;
  std::int64_t channels_ = 0;
  std::int64_t kernel_h_ = 1;
  std::int64_t kernel_w_ = 1;
  bool has_height_ = false;  ///< two spatial axes
  std::string auto_pad_ = "NOTSET";
  Axis height_;
  Axis width_;
};

}  // namespace hexquant::calibrate
