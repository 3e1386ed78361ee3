#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "passes/input_levels.h"
#include "runtime/session.h"

namespace hexquant::pipeline {

/// An input that holds an image, and the axis of its channels.
struct ImageInput {
  std::string name;
  std::int64_t channel_axis = 1;
};

/// Inputs of rank 4 that lead to convolutions and the like, directly (NCHW) or behind a Transpose
/// (NHWC).
[[nodiscard]] std::vector<ImageInput> image_inputs(const graph::Graph& graph);

/// Feeds for a model without data, the same on every machine for a seed: standard normal numbers,
/// integers 0 and 1, bytes 0..255. With `levels`, float images hold levels 0..255 under that
/// normalization. Other types are zeros.
/// @throws Error(kInvalidArgument) when a dimension other than the batch is free
[[nodiscard]] std::vector<runtime::Feeds> random_samples(
    const graph::Graph& graph, std::int64_t count, std::uint64_t seed,
    const std::optional<passes::Normalization>& levels);

}  // namespace hexquant::pipeline
