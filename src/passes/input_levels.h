#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "passes/pass.h"

// An image input that takes pixel levels 0..255 as they come from a camera or decoder, the
// normalization (x - mean) / std being part of the first layer.
namespace hexquant::passes {

/// Preprocessing of an application, taken over by the model: one value, or one a channel.
struct Normalization {
  std::vector<double> mean{0.0};
  std::vector<double> std{1.0};  ///< > 0
  /// True when it leaves levels as they are.
  [[nodiscard]] bool is_identity() const;
};

/// Puts Sub(mean) and Mul(1 / std) behind an input, behind Transposes that follow it at once. The
/// model then computes from levels what it computed from normalized values; fold_batch_norm takes
/// the factors into the first layers, and the shift where no padding forbids it.
/// @param channel_axis  of the input
/// @return nothing applied, with a finding, when the input's channels do not fit the numbers or its
///         name must stay
[[nodiscard]] PassReport insert_normalization(graph::Graph& graph, const std::string& input,
                                              std::int64_t channel_axis,
                                              const Normalization& normalization);

/// Turns a float input that is fed integers 0..255 into a uint8 input:
/// ~~~
///   x (float) -> [Transpose] -> [Add(-m) per channel] -> readers
///   q (uint8) -> DequantizeLinear(1, z) -> [Transpose] -> readers
/// ~~~
/// The shift m that fold_batch_norm leaves before padded convolutions becomes the zero point z:
/// - exactly, when m is one integer of 0..255 for all channels;
/// - else z is the integer that is nearest to m, weighted by the weights of the layers that read
///   it, and z - m goes into their biases. The result is exact but where a window meets padding:
///   there the padding stands for level z instead of m. A finding names the largest |z - m|;
/// - with `exact`, or when not all readers are layers with a bias, the Add stays and z is 0.
///
/// Why: on the HTP a float input costs a conversion and a layout change that take longer than ten
/// convolutions; 8-bit levels are what it reads.
[[nodiscard]] PassReport make_input_integer(graph::Graph& graph, const std::string& input,
                                            bool exact);

}  // namespace hexquant::passes
