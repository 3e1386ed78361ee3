#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "plan/config_rules.h"
#include "plan/node_wishes.h"
#include "plan/plan.h"
#include "plan/tensor_overrides.h"
#include "target/target.h"

namespace hexquant::plan {

/// What becomes of a node.
enum class Handling {
  kInteger,  ///< computes on integers
  kMover,    ///< moves codes
  kConcat,   ///< joins codes
  kFloat,    ///< stays float
  kOutside   ///< no float arithmetic, or constant
};

struct NodeChoice {
  Handling handling = Handling::kOutside;
  const target::OpRule* rule = nullptr;  ///< set for kInteger, kMover and kConcat
  int act_bits = 0;                      ///< kInteger: bits of inputs and output
  int requested_act_bits = 0;
  int requested_weight_bits = 0;
  bool weight_bits_forced = false;  ///< asked for this layer by a pattern, or everywhere
  int pattern_weight_bits = 0;      ///< asked for this layer by a pattern; 0 = not
  std::string reason;               ///< kFloat: why; kInteger: why act_bits is not as requested
};

using NodeChoices = std::unordered_map<const graph::Node*, NodeChoice>;

/// The model, the target and what has been decided about each node.
struct Context {
  const graph::Graph& graph;
  const target::Target& target;
  const PlanOptions& options;
  const ConfigRules& config;
  const TensorOverrides& overrides;
  NodeChoices choices;

  [[nodiscard]] const NodeChoice& choice(const graph::Node& node) const {
    return choices.at(&node);
  }
  [[nodiscard]] bool is_integer(const graph::Node& node) const {
    return choice(node).handling == Handling::kInteger;
  }
};

/// Element type of a value or constant; kUndefined when unknown.
[[nodiscard]] DType value_dtype(const graph::Graph& graph, const std::string& value);

/// Input indices of an integer node that carry activations: no weights, biases or parameters.
[[nodiscard]] std::vector<int> activation_inputs(const Context& context, const graph::Node& node);

/// Float32 outputs of a node.
[[nodiscard]] std::vector<std::string> float_outputs(const graph::Graph& graph,
                                                     const graph::Node& node);

/// True if the node computes or moves in float what it reads: results of Shape or of a comparison
/// do not depend on how exactly a value is kept.
[[nodiscard]] bool reads_as_float(const Context& context, const graph::Node& node);

/// Decides about every node; `findings` gains an entry for each that stays float.
[[nodiscard]] NodeChoices classify_nodes(const graph::Graph& graph, const target::Target& target,
                                         const PlanOptions& options, const ConfigRules& config,
                                         const NodeWishes& wishes, Findings& findings);

}  // namespace hexquant::plan
