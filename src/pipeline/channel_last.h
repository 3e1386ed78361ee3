#pragma once

#include <string>

#include "graph/graph.h"
#include "hexquant/tensor.h"

namespace hexquant::pipeline {

/// A channel-first layout and the channel-last one of the same axes.
struct ChannelOrder {
  const char* channel_first;
  const char* channel_last;
  int rank;
};

/// NCHW, NCDHW or NCF; nullptr for layouts that are channel-last already or have no channels.
[[nodiscard]] const ChannelOrder* find_channel_order(const std::string& layout);

/// [N, C, ...] -> [N, ..., C]. @pre at least two dimensions
template <typename T>
[[nodiscard]] std::vector<T> to_channel_last(std::vector<T> dims) {
  const T channels = dims[1];
  dims.erase(dims.begin() + 1);
  dims.push_back(channels);
  return dims;
}

/// True if a rank-4 float input leads, by element-wise operations only, to an operation whose
/// second axis is channels by definition (convolution, pooling, batch normalization ...).
[[nodiscard]] bool reaches_spatial_node(const graph::Graph& graph, const std::string& input);
/// The same for an output, backwards.
[[nodiscard]] bool comes_from_spatial_node(const graph::Graph& graph, const std::string& output);

/// The input becomes channel-last; a Transpose gives its readers the old form.
/// @return false, and nothing is changed, when its rank is not that of `order`
bool make_input_channel_last(graph::Graph& graph, const std::string& input,
                             const ChannelOrder& order);
/// The output becomes channel-last, behind a Transpose of the value that was it.
/// @return false, and nothing is changed, when its rank is known and not that of `order`, or it is
///         an input at the same time
bool make_output_channel_last(graph::Graph& graph, const std::string& output,
                              const ChannelOrder& order);

}  // namespace hexquant::pipeline
