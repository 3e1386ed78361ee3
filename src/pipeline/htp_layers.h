#pragma once

#include <string>
#include <vector>

#include "formats/qnn/framework_trace.h"
#include "graph/graph.h"
#include "profiling/optrace.h"
#include "profiling/qnn_csv.h"
#include "profiling/schematic.h"

namespace hexquant::pipeline {

/// Where the work of a row of the estimate comes from.
enum class LayerKind {
  kLayer,     ///< a node of the ONNX graph
  kInserted,  ///< an operation of the QNN graph without one: a layout change, a conversion
  kBoundary,  ///< fetching the graph's inputs or writing its outputs
  kUnknown    ///< no file says which node it stands for
};

/// "layer", "inserted", "boundary", "unknown".
[[nodiscard]] const char* layer_kind_name(LayerKind kind) noexcept;

/// A row of the estimate.
struct HtpLayer {
  std::string name =
      {};               ///< ONNX node that computes; else the QNN operation, or what the kind says
  std::string op = {};  ///< ONNX operation; else the QNN operation's type, "" if unknown
  LayerKind kind = LayerKind::kUnknown;
  std::vector<std::string> onnx_nodes = {};  ///< nodes of the graph it was made from, Q/DQ included
  std::vector<std::string> qnn_ops = {};     ///< operations of the QNN graph
};

/// The files that name hardware operations.
struct NameSources {
  std::vector<profiling::Schematic> schematics = {};
  std::vector<profiling::QnnOpRow> op_rows = {};  ///< of a run; used for OpIds no schematic names
  /// ONNX nodes of each QNN operation; without it a QNN operation is called like its node.
  formats::FrameworkTrace framework = {};
};

/// Layers of one trace in the order of their first event, and the layer of each event.
struct HtpLayers {
  std::vector<HtpLayer> layers;
  std::vector<int> layer_of_event;
};

/// Maps hardware operations to ONNX nodes: OpId (low 32 bits of the id) -> QNN operation -> nodes.
///
/// QNN operations made from one ONNX node become one layer. A layer is called after its first node
/// that is no QuantizeLinear or DequantizeLinear. A node's name is looked up as it stands first,
/// then without what ONNX Runtime appends (formats::onnx_node_name).
[[nodiscard]] HtpLayers map_layers(const profiling::Optrace& trace, const graph::Graph& graph,
                                   const NameSources& sources);

}  // namespace hexquant::pipeline
