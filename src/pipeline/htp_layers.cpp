#include "pipeline/htp_layers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/format.h"
#include "target/node_unit.h"

namespace hexquant::pipeline {
namespace {

/// QNN operations that the provider adds of its own accord.
bool is_inserted_type(const std::string& type) {
  constexpr std::array<std::string_view, 6> kTypes = {"Transpose", "Reshape",  "Convert",
                                                      "Cast",      "Quantize", "Dequantize"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

void add_unique(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

/// Looks up what an OpId stands for.
class LayerNamer {
 public:
  LayerNamer(const profiling::Optrace& trace, const graph::Graph& graph, const NameSources& sources)
      : trace_(trace) {
    for (const graph::Node& node : graph.nodes()) nodes_.emplace(node.name(), &node);
    for (const profiling::Schematic& schematic : sources.schematics) {
      if (schematic.graph_name == trace.graph_name) own_ = &schematic;
    }
    if (own_ == nullptr && sources.schematics.size() == 1) own_ = &sources.schematics.front();
    for (const formats::TracedGraph& traced : sources.framework.graphs) {
      if (traced.name != trace.graph_name && sources.framework.graphs.size() > 1) continue;
      for (const formats::TracedOp& op : traced.ops) traced_.emplace(op.name, &op);
    }
    for (const profiling::QnnOpRow& row : sources.op_rows) rows_.emplace(row.op_id, &row);
  }

  [[nodiscard]] HtpLayer layer_of(const profiling::TraceEvent& event) const {
    const std::uint32_t op_id = event.op_id();
    if (own_ != nullptr) {
      const auto found = own_->op_names.find(op_id);
      if (found != own_->op_names.end()) return named(found->second, {found->second});
      if (own_->input_id == op_id) return boundary("(graph input)", "Input");
      if (own_->output_id == op_id) return boundary("(graph output)", "Output");
    }
    const auto row = rows_.find(op_id);
    if (row != rows_.end()) return from_row(*row->second);
    return {.name = format("OpId {}", op_id),
            .op = trace_.names[static_cast<std::size_t>(event.name)],
            .kind = LayerKind::kUnknown};
  }

 private:
  static HtpLayer boundary(std::string name, std::string op) {
    return {.name = std::move(name), .op = std::move(op), .kind = LayerKind::kBoundary};
  }

  [[nodiscard]] HtpLayer from_row(const profiling::QnnOpRow& row) const {
    if (row.onnx_names.empty() && row.qnn_name == "Input") {
      return boundary("(graph input)", "Input");
    }
    if (row.onnx_names.empty() && row.qnn_name == "Output") {
      return boundary("(graph output)", "Output");
    }
    return named(row.qnn_name, row.onnx_names);
  }

  /// @param fallback_sources  ONNX names where the framework trace has none
  [[nodiscard]] HtpLayer named(const std::string& qnn_name,
                               const std::vector<std::string>& fallback_sources) const {
    HtpLayer layer{.name = qnn_name, .kind = LayerKind::kInserted, .qnn_ops = {qnn_name}};
    const auto traced = traced_.find(qnn_name);
    if (traced != traced_.end()) layer.op = traced->second->type;
    const graph::Node* computes = nullptr;
    for (const std::string& source :
         traced != traced_.end() ? traced->second->source_nodes : fallback_sources) {
      const graph::Node* node = find_node(source);
      if (node == nullptr) continue;
      add_unique(layer.onnx_nodes, node->name());
      if (computes == nullptr && !target::is_pair_part(*node)) computes = node;
    }
    if (computes != nullptr) {
      layer.name = computes->name();
      layer.op = computes->op_type();
      layer.kind = LayerKind::kLayer;
    } else if (!layer.op.empty() && !is_inserted_type(layer.op)) {
      layer.kind = LayerKind::kUnknown;  // of a node without a name in the file
    }
    return layer;
  }

  [[nodiscard]] const graph::Node* find_node(const std::string& source) const {
    auto found = nodes_.find(source);
    if (found == nodes_.end()) found = nodes_.find(formats::onnx_node_name(source));
    return found == nodes_.end() ? nullptr : found->second;
  }

  const profiling::Optrace& trace_;
  const profiling::Schematic* own_ = nullptr;
  std::unordered_map<std::string, const graph::Node*> nodes_;
  std::unordered_map<std::string, const formats::TracedOp*> traced_;
  std::unordered_map<std::uint32_t, const profiling::QnnOpRow*> rows_;
};

}  // namespace

const char* layer_kind_name(LayerKind kind) noexcept {
  switch (kind) {
    case LayerKind::kLayer:
      return "layer";
    case LayerKind::kInserted:
      return "inserted";
    case LayerKind::kBoundary:
      return "boundary";
    case LayerKind::kUnknown:
      break;
  }
  return "unknown";
}

HtpLayers map_layers(const profiling::Optrace& trace, const graph::Graph& graph,
                     const NameSources& sources) {
  const LayerNamer namer(trace, graph, sources);
  HtpLayers result;
  std::unordered_map<std::uint32_t, int> layer_of_op;
  std::map<std::pair<LayerKind, std::string>, int> layer_of_name;
  result.layer_of_event.reserve(trace.events.size());
  for (const profiling::TraceEvent& event : trace.events) {
    const auto [position, is_new_op] = layer_of_op.emplace(event.op_id(), 0);
    if (is_new_op) {
      HtpLayer layer = namer.layer_of(event);
      const auto [place, is_new_layer] = layer_of_name.emplace(
          std::pair(layer.kind, layer.name), static_cast<int>(result.layers.size()));
      position->second = place->second;
      if (is_new_layer) {
        result.layers.push_back(std::move(layer));
      } else {
        HtpLayer& known = result.layers[static_cast<std::size_t>(place->second)];
        for (const std::string& node : layer.onnx_nodes) add_unique(known.onnx_nodes, node);
        for (const std::string& op : layer.qnn_ops) add_unique(known.qnn_ops, op);
      }
    }
    result.layer_of_event.push_back(position->second);
  }
  return result;
}

}  // namespace hexquant::pipeline
