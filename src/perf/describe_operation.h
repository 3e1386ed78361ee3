#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "perf/workload.h"

namespace hexquant::perf {

/// What an operation reads and writes, as tensors of the workload.
struct Operands {
  const std::vector<int>& inputs;    ///< tensors
  const std::vector<Shape>& shapes;  ///< by ONNX input index, empty where absent
  const std::vector<int>& outputs;   ///< tensors
};

/// Fills in kind, widths, windows, groups, bytes of constants and multiply-accumulates.
/// @param work  gains a finding for an operation that is not known
void describe_operation(const graph::Graph& graph, const graph::Node& node,
                        const Operands& operands, Workload& work, Operation& operation);

/// Axes, limits, shapes: attributes in the form of a constant, no data that the NPU fetches.
[[nodiscard]] bool is_index_constant(const graph::Graph& graph, const std::string& value);

}  // namespace hexquant::perf
