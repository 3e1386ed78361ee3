#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "core/json.h"

namespace hexquant::perf {

/// Stored width that decides a rate.
enum class Width { k8, k16, kFloat };
inline constexpr std::size_t kWidthCount = 3;
using ByWidth = std::array<double, kWidthCount>;

/// What the vector units do for an operation.
enum class VectorTask {
  kQuantize,       ///< float input -> codes
  kDequantize,     ///< codes -> float output
  kShortRows,      ///< further cost of kQuantize for rows of fewer than 12 elements
  kSliceInput,     ///< a float image fetched in strips
  kTile,           ///< plain rows -> blocks, for each element of rows padded to 32
  kUntile,         ///< the way back, of float results
  kSwapRows,       ///< NCHW <-> NHCW in blocks
  kSwapColumns,    ///< NHCW <-> NHWC in blocks
  kImageLayout,    ///< NCHW -> NHWC blocks of an image with at most 4 channels
  kImageStrips,    ///< the same, strip by strip on all threads
  kCopyOut,        ///< codes of a map to DDR, for each element of rows padded to 32
  kCopyWide,       ///< the same of maps with rows longer than a block of 32
  kCopyShort,      ///< further cost for each row of n < 16 elements, times 1 - n / 16
  kCopyRows,       ///< the same of values that are no maps
  kAdd,            ///< Add, Sub, Min, Max
  kAddRows,        ///< the same with an operand that rows share
  kMultiply,       ///< Mul
  kDivide,         ///< Div, Pow, Sqrt
  kFunction,       ///< a table or polynomial for each element
  kFlatFunction,   ///< the same of values that lie flat, with their way out of blocks
  kFlatJoin,       ///< their way back into blocks, for each element
  kPool,           ///< windows, for each element and element of the window
  kMean,           ///< whole maps, for each element read
  kMeanAxis,       ///< one axis of a map, for each element read
  kConcat,         ///< copies along a channel or row axis
  kJoinParts,      ///< operands of a Concat cut out of a block, for each element
  kMove,           ///< Transpose, Slice ...
  kGather,         ///< rows of a table, for each element written
  kShuffle,        ///< Transpose that only permutes channels, for each pixel
  kPadChannels,    ///< Pad of channels by parts of a block, for each element written
  kExpandRows,     ///< Expand, for each row written
  kReshape,        ///< a change of shape between maps and rows
  kReshapeRows,    ///< any other change of shape
  kResize,         ///< for each element written
  kSoftmax,        ///< for each element
  kSoftmaxRows,    ///< further cost of kSoftmax for each row
  kSoftmaxShort,   ///< and for each row of n < 300 elements, times 1 - n / 300
  kMoments,        ///< mean and variance of rows, for each element
  kNormalize,      ///< their use, for each element
  kConvert,        ///< between widths, at the price of the width read
  kConvertRows,    ///< the same between fully connected layers
  kSpaceToDepth,   ///< input of a strided convolution, for each element read
  kImageToDepth,   ///< the same for an image
  kPatches,        ///< input of a convolution whose windows do not overlap, for each element read
  kDecimate,       ///< input of a strided 1x1 convolution, for each element written
  kDepthwise,      ///< depthwise layers on the vector units, for each multiply-accumulate
  kDepthToSpace,   ///< output of a transposed convolution, for each element written
  kClearBorder,    ///< zeros around a map for a window, for each block at its rim
  kPackOperand,    ///< second operand of MatMul into the form of weights, for each element
  kUnpackProduct,  ///< result of MatMul, for each element
  kOther
};
inline constexpr std::size_t kVectorTaskCount = static_cast<std::size_t>(VectorTask::kOther) + 1;

/// Thread cycles = per_tile * tiles + per_element[width] * elements.
struct VectorCost {
  double per_tile = 0.0;
  ByWidth per_element{};
};

/// What the matrix unit does. A block is 8 x 8 pixels and 32 channels.
enum class MatrixTask {
  kDense,      ///< convolutions, fully connected layers, products of activations
  kStrided,    ///< convolutions with a stride, after their input was re-ordered
  kDepthwise,  ///< depthwise layers without a stride
  kDilated
};
inline constexpr std::size_t kMatrixTaskCount = static_cast<std::size_t>(MatrixTask::kDilated) + 1;

/// Cycles = per_event * events + per_product[width] * products + per_store[width] * output blocks
///          + per_weight * weight blocks read.
/// With weights of 16 bits the wide prices take the place of per_product, where they are higher,
/// and of per_weight.
///
/// An event computes a strip of 8 rows for up to 256 output channels. Products: output blocks x
/// input blocks x window elements (depthwise: output blocks x window elements). Weight blocks:
/// output x input channel blocks x window elements, for each strip.
struct MatrixCost {
  double per_event = 0.0;
  ByWidth per_product{};
  double per_wide_product = 0.0;
  ByWidth per_store{};
  double per_weight = 0.0;
  double per_wide_weight = 0.0;
};

/// The machine of one HTP architecture, as the vendor's estimate shows it. Cycles of its core
/// clock.
struct LatencyConstants {
  std::array<VectorCost, kVectorTaskCount> vector;
  std::array<MatrixCost, kMatrixTaskCount> matrix;
  double dma_bytes_per_cycle = 0.0;    ///< DDR to VTCM, one stream
  double dma_issue_cycles = 0.0;       ///< of the scalar thread, for each transfer it starts
  double dma_wait_cycles = 0.0;        ///< of the scalar thread, for each transfer it awaits
  double spawn_cycles = 0.0;           ///< start and end of a task on the vector units
  double start_cycles = 0.0;           ///< before the first operation and after the last
  double prefetch_share = 0.0;         ///< part of VTCM that weights fetched ahead may fill
  double serial_image_share = 0.0;     ///< of VTCM: larger images are laid out by all threads
  double serial_map_share = 0.0;       ///< the same for float inputs with many channels
  double serial_channels_share = 0.0;  ///< the same for inputs whose channels become the last axis
  double serial_output_share = 0.0;    ///< slices of outputs that one thread re-orders
  double vector_threads = 0.0;
  double cpu_elements_per_us = 0.0;  ///< operations on the CPU
  double cpu_transfer_us = 0.0;      ///< to the CPU and back
};

/// One constant: its key in latency.json and where it lives.
struct NamedConstant {
  std::string key;
  double* value;
  std::string unit;
};
/// All of them, in a fixed order.
[[nodiscard]] std::vector<NamedConstant> named_constants(LatencyConstants& constants);

[[nodiscard]] const char* vector_task_name(VectorTask task) noexcept;
[[nodiscard]] const char* matrix_task_name(MatrixTask task) noexcept;

/// @throws Error(kInvalidData) naming `origin` and the key that is missing or no finite number >= 0
[[nodiscard]] LatencyConstants parse_constants(const Json& json, const std::string& origin);
[[nodiscard]] Json to_json(const LatencyConstants& constants);

}  // namespace hexquant::perf
