#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/tensor.h"
#include "pipeline/convert_options.h"

namespace hexquant::pipeline {

/// The model with the inputs and outputs that the converter would give it.
struct ConvertSource {
  graph::Graph graph;
  bool is_edited = false;                     ///< `graph` is no longer what the file holds
  std::map<std::string, Shape> input_shapes;  ///< to be fixed, in the layout of `graph`
  /// Layout of inputs and outputs that are images: "NHWC", "NCHW" ...
  std::map<std::string, std::string> layouts;
  Findings findings;
};

/// What --out_node, --input_dim, --batch, --define_symbol, --input_layout and --preserve_io make of
/// a model.
///
/// The converter's graphs are channel-last: an input in a channel-first layout, and an output that
/// comes from such a layout, is transposed (NCHW -> NHWC), and raw calibration files hold it so.
/// Inputs are images, and NCHW, when they have rank 4 and lead to a convolution, pooling or
/// normalization by element-wise operations; --input_layout says otherwise.
/// @throws Error(kInvalidArgument) naming the option and the input, output or symbol that is not in
///         the model, or a shape that contradicts it
[[nodiscard]] ConvertSource convert_source(graph::Graph graph, const ConvertArguments& arguments);

}  // namespace hexquant::pipeline
