#pragma once

#include <algorithm>
#include <cstdint>

#include "perf/operation_work.h"

// What the parts of operation_work share.
namespace hexquant::perf {

inline constexpr std::int64_t kChannelBlock = 32;
inline constexpr std::int64_t kChannelsOfEvent = 256;  ///< output channels of one strip
inline constexpr std::int64_t kTransferUnit = 2048;    ///< bytes

[[nodiscard]] inline std::int64_t ceil_div(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit;
}

[[nodiscard]] inline std::int64_t product(const Shape& shape) {
  std::int64_t result = 1;
  for (const std::int64_t dim : shape) result *= dim;
  return result;
}

/// Windows that do not overlap: the first layer of a vision transformer.
[[nodiscard]] inline bool is_patch(const Operation& operation) {
  return operation.kind == WorkKind::kConvolution && operation.kernel == operation.strides &&
         product(operation.strides) >= 16;
}

/// A matrix product in the matrix unit's terms: pixels in blocks of 8 x 8, channels in blocks
/// of 32.
struct MatrixShape {
  std::int64_t blocks = 1;       ///< of pixels, all batches
  std::int64_t strips = 1;       ///< of 8 rows, all batches
  std::int64_t in_channels = 1;  ///< of a group
  std::int64_t out_channels = 1;
  std::int64_t window = 1;
  std::int64_t groups = 1;
};

/// Adds stages to the work of one operation.
class StageBuilder {
 public:
  StageBuilder(const Workload& workload, const Layout& layout, const LatencyConstants& constants,
               const WorkOptions& options, const Operation& operation, OperationWork& work);

 protected:
  [[nodiscard]] const WorkTensor& tensor(int index) const {
    return workload_.tensors[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] const Operation& operation_at(int index) const {
    return workload_.operations[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] int output() const { return operation_.outputs.front(); }
  /// First operand that is computed; the output when there is none.
  [[nodiscard]] int input() const;
  /// Tiles of a vector task: strips, or slices of channels where there are fewer strips.
  [[nodiscard]] int tiles(int index) const;

  void vector(VectorTask task, double elements, int tiles, bool is_boundary = false,
              bool needs_all = false);
  void matrix(MatrixTask task, const MatrixShape& shape);
  /// Thread cycles of `task` for an element.
  [[nodiscard]] double price(VectorTask task) const {
    return constants_.vector[static_cast<std::size_t>(task)].per_element[width_];
  }

  const Workload& workload_;
  const Layout& layout_;
  const LatencyConstants& constants_;
  const WorkOptions& options_;
  const Operation& operation_;
  OperationWork& work_;
  std::size_t width_ = 0;  ///< of the rates that vector() and matrix() use
};

/// Layout and type of graph inputs and outputs.
class BorderBuilder : public StageBuilder {
 public:
  using StageBuilder::StageBuilder;
  /// Quantization of a graph input or dequantization of an output.
  [[nodiscard]] bool is_border_conversion() const;
  void add_inputs();
  void add_outputs();

 private:
  [[nodiscard]] bool reads_border() const;
  [[nodiscard]] bool writes_border() const;
  [[nodiscard]] double share_bytes(double share) const;
  [[nodiscard]] bool feeds_patches(int index) const;
  [[nodiscard]] double row_elements(int index) const;
  void add_input(int index, bool converts);
  void add_image(int index, int code_bits, bool converts);
  void add_input_map(int index, int code_bits, bool converts);
  [[nodiscard]] VectorTask copy_task(int index) const;
  [[nodiscard]] bool leaves_whole() const;
  void add_short_rows(int index, int count);
  void add_output(int index);
};

/// Layers: what the matrix unit computes, with the vector work around it.
class LayerBuilder : public StageBuilder {
 public:
  using StageBuilder::StageBuilder;
  /// @return false for an operation of another kind
  bool add();

 private:
  void add_weights();
  [[nodiscard]] MatrixShape map_shape() const;
  [[nodiscard]] MatrixShape row_shape(const Shape& out, std::int64_t in_channels) const;
  [[nodiscard]] std::int64_t stride() const;
  void add_border();
  void add_convolution();
  void add_strided(MatrixShape shape);
  void add_depthwise();
  void add_transposed_convolution();
  void add_fully_connected();
  void add_matmul();
  void add_recurrent();
};

/// Everything that the vector units compute alone.
class VectorBuilder : public StageBuilder {
 public:
  using StageBuilder::StageBuilder;
  void add();

 private:
  void add_softmax(double written);
  void add_normalization(double written);
  void add_constants();
  void add_conversion(double written, int count);
  [[nodiscard]] bool joins_layers() const;
  [[nodiscard]] bool is_read_in_place(const WorkTensor& constant) const;
  void add_reduce();
  void add_mover(double written);
  void add_concat(double written);
  void add_pad(double written);
  [[nodiscard]] bool permutes_channels() const;
  void add_reshape();
  void add_elementwise(double written, int count);
  void add_activation();
  void add_pool();
  [[nodiscard]] bool joins_blocks() const;
  [[nodiscard]] bool shares_rows() const;
  [[nodiscard]] bool feeds_softmax() const;
  [[nodiscard]] bool has_scalar() const;
  [[nodiscard]] bool is_gate(const Operation& sigmoid) const;
  [[nodiscard]] bool is_plain_output() const;
  [[nodiscard]] bool lies_flat() const;
  [[nodiscard]] int head_tiles(const Shape& split) const;
  [[nodiscard]] bool heads_stay(const Shape& split) const;
  [[nodiscard]] int moved_heads() const;
  [[nodiscard]] bool joins_producer() const;
};

}  // namespace hexquant::perf
