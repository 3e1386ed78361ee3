#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/tensor.h"
#include "passes/fix_input_shapes.h"
#include "passes/pass.h"
#include "runtime/session.h"

namespace hexquant::passes {

struct PrepareOptions {
  /// Fixed shapes of inputs (--input-shape); inputs not named keep their free dimensions.
  std::map<std::string, Shape> input_shapes;
  /// One sample of real data, used to learn the shapes of all values when dimensions are free.
  /// Empty: zeros of the declared shapes, free dimensions 1.
  runtime::Feeds example;
  /// Whether decomposed normalizations become one node.
  bool recognise_layer_norm = true;
  bool recognise_rms_norm = true;
  /// Names of passes that are left out; those that only find out shapes always run.
  std::set<std::string> skip = {};
  /// Called with the graph behind every pass that changed something.
  std::function<void(const PassReport&, const graph::Graph&)> after_pass = {};
};

/// The passes of prepare() that rewrite the model, by name, in order: what `skip` may hold.
[[nodiscard]] const std::vector<std::string>& prepare_rewrites();

/// Brings a float graph into the form that planning expects, keeping its function:
/// opset raised, constants and Identity folded, shapes known (graph types set for every value),
/// shape arithmetic removed where dimensions are fixed, Pad and BatchNormalization folded,
/// uint8 inputs taken as codes, LayerNorm / RMSNorm / GELU / HardSwish recognised, shared weights
/// separated, dead code removed. The visible, ordered list of passes. @throws Error(kInvalidModel)
[[nodiscard]] std::vector<PassReport> prepare(graph::Graph& graph, const PrepareOptions& options);

}  // namespace hexquant::passes
