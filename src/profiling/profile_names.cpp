#include "profiling/profile_names.h"

#include <algorithm>
#include <cctype>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "profiling/optrace_table.h"
#include "target/node_unit.h"

namespace hexquant::profiling {
namespace {

/// "/stem/Conv" -> "stem_Conv"
std::string converter_name(const std::string& name) {
  std::string result;
  for (const char c : name) {
    result += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  const std::size_t start = result.find_first_not_of('_');
  if (start == std::string::npos) return {};
  return result.substr(start, result.find_last_not_of('_') - start + 1);
}

/// Nodes of a model by every name that may stand for them.
class NodeIndex {
 public:
  explicit NodeIndex(const graph::Graph* model) {
    if (model == nullptr) return;
    for (const graph::Node& node : model->nodes()) {
      exact_.emplace(node.name(), &node);
      const auto [place, is_new] = converted_.emplace(converter_name(node.name()), &node);
      if (!is_new) place->second = nullptr;
    }
  }

  [[nodiscard]] const graph::Node* find(const std::string& name) const {
    auto found = exact_.find(name);
    if (found == exact_.end()) found = exact_.find(formats::onnx_node_name(name));
    return found == exact_.end() ? nullptr : found->second;
  }

  [[nodiscard]] const graph::Node* find_converted(const std::string& name) const {
    const auto found = converted_.find(converter_name(name));
    return found == converted_.end() ? nullptr : found->second;
  }

 private:
  std::unordered_map<std::string, const graph::Node*> exact_;
  std::unordered_map<std::string, const graph::Node*> converted_;  ///< nullptr = several
};

class Namer {
 public:
  explicit Namer(const NameFiles& files) : files_(files), nodes_(files.model) {
    if (!files.framework) return;
    for (const formats::TracedGraph& graph : files.framework->graphs) {
      for (const formats::TracedOp& op : graph.ops) traced_.emplace(op.name, &op);
    }
  }

  void name(ProfileTable& table) {
    for (ProfileRow& row : table.rows) {
      if (table.format == ProfileFormat::kQnnLog) name_by_id(row);
      add_traced(row, table.format);
      choose_node(row, table.format);
    }
    if (files_.model == nullptr) drop_ambiguous(table);
  }

 private:
  [[nodiscard]] const Schematic* schematic_of(const std::string& graph) const {
    for (const Schematic& schematic : files_.schematics) {
      if (schematic.graph_name == graph) return &schematic;
    }
    return files_.schematics.size() == 1 ? &files_.schematics.front() : nullptr;
  }

  void name_by_id(ProfileRow& row) const {
    if (!row.op_id) return;
    if (const Schematic* schematic = schematic_of(row.graph)) {
      const auto found = schematic->op_names.find(*row.op_id);
      if (found != schematic->op_names.end()) row.name = found->second;
      if (schematic->input_id == row.op_id) row.name = "Input";
      if (schematic->output_id == row.op_id) row.name = "Output";
    }
    if (files_.operations == nullptr) return;
    for (const ProfileRow& known : files_.operations->rows) {
      if (known.op_id != row.op_id) continue;
      if (row.name == name_of_op_id(*row.op_id)) row.name = known.name;
      if (row.name == known.name) row.onnx_nodes = known.onnx_nodes;
    }
  }

  void add_traced(ProfileRow& row, ProfileFormat format) const {
    const auto found = traced_.find(row.name);
    if (found != traced_.end()) {
      if (row.op.empty()) row.op = found->second->type;
      if (row.onnx_nodes.empty()) row.onnx_nodes = found->second->source_nodes;
    } else if (format == ProfileFormat::kOrtTrace && files_.framework) {
      add_partition(row);
    }
  }

  /// ONNX Runtime's node of a compiled part is called like its QNN graph.
  void add_partition(ProfileRow& row) const {
    for (const formats::TracedGraph& graph : files_.framework->graphs) {
      if (graph.name != row.name) continue;
      for (const formats::TracedOp& op : graph.ops) {
        row.onnx_nodes.insert(row.onnx_nodes.end(), op.source_nodes.begin(), op.source_nodes.end());
      }
    }
  }

  void choose_node(ProfileRow& row, ProfileFormat format) const {
    if (files_.model == nullptr) {
      const bool is_own =
          std::find(row.onnx_nodes.begin(), row.onnx_nodes.end(), row.name) != row.onnx_nodes.end();
      if (is_own || format == ProfileFormat::kOrtTrace) {
        row.node = formats::onnx_node_name(row.name);
      }
      return;
    }
    const graph::Node* chosen = nullptr;
    for (const std::string& source : row.onnx_nodes) {
      const graph::Node* node = nodes_.find(source);
      if (node == nullptr || (chosen != nullptr && !target::is_pair_part(*chosen))) continue;
      if (chosen == nullptr || !target::is_pair_part(*node)) chosen = node;
    }
    const bool is_partition = format == ProfileFormat::kOrtTrace && row.onnx_nodes.size() > 1;
    if (is_partition) return;
    if (row.onnx_nodes.empty()) chosen = nodes_.find(row.name);
    if (chosen == nullptr && row.onnx_nodes.empty()) chosen = nodes_.find_converted(row.name);
    if (chosen == nullptr) return;
    row.node = chosen->name();
    row.op = chosen->op_type();
  }

  /// "Transpose_token_1" and "Transpose_token_2" are no node "Transpose".
  static void drop_ambiguous(ProfileTable& table) {
    std::unordered_map<std::string, int> uses;
    for (const ProfileRow& row : table.rows) ++uses[row.node];
    for (ProfileRow& row : table.rows) {
      if (uses[row.node] > 1) row.node.clear();
    }
  }

  const NameFiles& files_;
  NodeIndex nodes_;
  std::unordered_map<std::string, const formats::TracedOp*> traced_;
};

}  // namespace

void name_rows(ProfileTable& table, const NameFiles& files) {
  Namer(files).name(table);
}

}  // namespace hexquant::profiling
