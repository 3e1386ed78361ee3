#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "quant/quant_plan.h"
#include "quant/weight_matrix.h"

namespace hexquant::pipeline {

/// One layer whose weights are rounded with the help of data, and the cut just before it.
struct LayerStep {
  const graph::Node* node = nullptr;  ///< of the float graph
  quant::WeightMatrix layout;
  std::string weight;
  std::string bias;    ///< initializer of the plan's biases; empty = cannot be changed
  int data_input = 0;  ///< input of the node that carries the data
  const graph::Node* add = nullptr;         ///< residual Add that is the only reader of the output
  int addend_input = 0;                     ///< its other input, known before the layer
  const graph::Node* activation = nullptr;  ///< Relu or Clip that is the only reader of the output
  std::vector<std::string> frontier;        ///< float values that the layer or later nodes read
};

/// All layers of the plan that WeightMatrix covers, in graph order. @pre graph is sorted
[[nodiscard]] std::vector<LayerStep> find_layer_steps(const graph::Graph& graph,
                                                      const quant::QuantPlan& plan);

/// Values of the graph with Q/DQ that stand for float value `name`: its codes where it is
/// quantized.
[[nodiscard]] std::vector<std::string> held_values(const graph::Graph& quantized,
                                                   const std::string& name);

/// Node by name. @throws Error(kInternal) when there is none
[[nodiscard]] const graph::Node& node_named(const graph::Graph& graph, const std::string& name);

/// Bytes of one sample at the widest cut, float values and codes together; free dimensions count 1.
[[nodiscard]] std::int64_t widest_cut_bytes(const graph::Graph& graph,
                                            const std::vector<LayerStep>& steps);

}  // namespace hexquant::pipeline
