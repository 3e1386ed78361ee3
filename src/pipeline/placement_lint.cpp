#include "pipeline/placement_lint.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "core/file_io.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "runtime/htp/htp_options.h"
#include "target/node_unit.h"

namespace hexquant::pipeline {
namespace {

using formats::LoggedUnit;
using formats::onnx_node_name;
using formats::QnnGraph;
using formats::QnnNode;
using formats::QnnNumberKind;
using formats::TracedGraph;
using formats::TracedOp;
using graph::Graph;
using graph::Node;
using target::Placement;
using target::PlacementReport;
using target::Rejection;
using target::Unit;

/// QNN operations that only change the type of a tensor.
bool is_conversion(const std::string& qnn_type) {
  return qnn_type == "Quantize" || qnn_type == "Dequantize" || qnn_type == "Convert";
}

/// A QNN operation as it was compiled.
struct CompiledOp {
  std::string type;
  bool is_float = false;
  std::string first_source;  ///< ONNX name of the node it is called after
};

bool has_float(const QnnGraph& graph, const QnnNode& node) {
  const auto is_float = [&](const std::string& name) {
    const formats::QnnTensor& tensor = graph.tensors.at(name);
    return !tensor.is_static && tensor.type.kind == QnnNumberKind::kFloat;
  };
  return std::any_of(node.inputs.begin(), node.inputs.end(), is_float) ||
         std::any_of(node.outputs.begin(), node.outputs.end(), is_float);
}

/// The vendor's answer, node by node of the file.
class VendorReader {
 public:
  VendorReader(const Graph& model, const VendorFiles& files) : model_(model), files_(files) {
    index_graphs();
    index_trace();
    index_log();
  }

  PlacementReport run() {
    PlacementReport report;
    for (const Node& node : model_.nodes()) {
      Placement placement{node.name(), node.op_type(), Unit::kFolded, "", ""};
      place(node, placement);
      report.nodes.push_back(std::move(placement));
    }
    if (!files_.created) add_rejections(report);
    return report;
  }

 private:
  void index_graphs() {
    for (const QnnGraph& graph : files_.graphs) {
      for (const QnnNode& node : graph.nodes) {
        const CompiledOp op{node.type, has_float(graph, node), onnx_node_name(node.name)};
        by_qnn_name_[node.name] = op;
        by_node_[op.first_source].push_back(op);
        for (const std::string& output : node.outputs) by_value_[output].push_back(op);
      }
    }
  }

  void index_trace() {
    if (!files_.trace) return;
    for (const TracedGraph& graph : files_.trace->graphs) {
      for (const TracedOp& traced : graph.ops) {
        const auto op = by_qnn_name_.find(traced.name);
        if (op == by_qnn_name_.end()) continue;
        for (const std::string& source : traced.source_nodes) {
          by_node_[onnx_node_name(source)].push_back(op->second);
        }
      }
    }
    for (const formats::UnsupportedNode& node : files_.trace->unsupported) {
      unsupported_[onnx_node_name(node.name)] = node.reason;
    }
  }

  void index_log() {
    for (const LoggedUnit& unit : files_.log.units) {
      for (const std::string& node : unit.nodes) logged_[onnx_node_name(node)] = &unit;
    }
  }

  void place(const Node& node, Placement& placement) const {
    const auto compiled = by_node_.find(node.name());
    if (compiled != by_node_.end()) return place_compiled(node, compiled->second, placement);
    const auto refused = unsupported_.find(node.name());
    if (refused != unsupported_.end()) {
      placement.unit = Unit::kCpu;
      placement.reason = refused->second;
      return;
    }
    if (const Node* head = joined_with(node)) return place(*head, placement);
    if (const auto* ops = ops_behind(node)) return place_compiled(node, *ops, placement);
    if (!files_.graphs.empty() && files_.created) {
      placement.reason = "ONNX Runtime's optimizer removed it";
      return;
    }
    place_by_log(node, placement);
  }

  static void place_compiled(const Node& node, const std::vector<CompiledOp>& ops,
                             Placement& placement) {
    if (target::is_pair_part(node)) {
      const auto own = std::find_if(ops.begin(), ops.end(), [&](const CompiledOp& op) {
        return is_conversion(op.type) && op.first_source.starts_with(node.name());
      });
      const bool joined = std::any_of(ops.begin(), ops.end(),
                                      [](const CompiledOp& op) { return op.type == "Convert"; });
      if (own == ops.end() && !joined) {
        placement.reason = "part of " + ops.front().type;
        return;
      }
      placement.unit = joined ? Unit::kNpuInteger : Unit::kNpuFloat;
      placement.reason = joined ? "Convert" : own->type;
      return;
    }
    const bool is_float =
        std::any_of(ops.begin(), ops.end(), [](const CompiledOp& op) { return op.is_float; });
    placement.unit = is_float ? Unit::kNpuFloat : Unit::kNpuInteger;
    placement.reason = ops.front().type;
  }

  /// QNN operations that make the node's output or its quantized form: how functions that ONNX
  /// Runtime unfolded (Mish) are found again.
  [[nodiscard]] const std::vector<CompiledOp>* ops_behind(const Node& node) const {
    if (target::is_pair_part(node)) return nullptr;
    for (const std::string& output : node.outputs()) {
      const auto found = by_value_.find(output);
      if (found != by_value_.end()) return &found->second;
    }
    return nullptr;
  }

  /// MatMul + Add become one Gemm that is called after the MatMul.
  [[nodiscard]] const Node* joined_with(const Node& node) const {
    if (!node.is("Add")) return nullptr;
    for (const std::string& input : node.inputs()) {
      const Node* producer = model_.producer(input);
      if (producer != nullptr && producer->is("MatMul") &&
          (by_node_.contains(producer->name()) || unsupported_.contains(producer->name()) ||
           logged_.contains(producer->name()))) {
        return producer;
      }
    }
    return nullptr;
  }

  void place_by_log(const Node& node, Placement& placement) const {
    const auto found = logged_.find(node.name());
    if (found == logged_.end()) {
      placement.unit = files_.created ? Unit::kCpu : Unit::kFolded;
      placement.reason = "the vendor's files do not name it";
      return;
    }
    const LoggedUnit& unit = *found->second;
    if (!unit.passed) {
      placement.unit = Unit::kCpu;
      placement.reason = unit.reason;
    } else if (target::is_pair_part(node)) {
      const bool alone = unit.nodes.size() == 1;
      placement.unit = alone ? Unit::kNpuFloat : Unit::kFolded;
      if (unit.kind == "DQQFusion") placement.unit = Unit::kNpuInteger;
      placement.reason = unit.op_type;
    } else {
      placement.unit = unit.nodes.size() == 1 ? Unit::kNpuFloat : Unit::kNpuInteger;
      placement.reason = unit.op_type;
    }
  }

  /// Operations whose layout was changed for the NPU cannot go back to the CPU: the session fails.
  void add_rejections(PlacementReport& report) const {
    std::set<std::string> seen;
    for (auto unit = files_.log.units.rbegin(); unit != files_.log.units.rend(); ++unit) {
      if (unit->passed || unit->op_type == "Transpose") continue;
      for (const std::string& name : unit->nodes) {
        if (!formats::is_layout_node(name)) continue;
        const std::string node = onnx_node_name(name);
        const Placement* placement = report.find(node);
        if (placement == nullptr || placement->op_type != unit->op_type) continue;
        if (logged_.at(node)->passed || !seen.insert(node).second) continue;
        report.rejections.push_back({node, placement->op_type, unit->reason, ""});
      }
    }
    if (report.rejections.empty()) report.rejections.push_back({"", "", files_.error, ""});
  }

  const Graph& model_;
  const VendorFiles& files_;
  std::map<std::string, CompiledOp> by_qnn_name_;
  std::map<std::string, std::vector<CompiledOp>> by_node_;
  std::map<std::string, std::vector<CompiledOp>> by_value_;
  std::map<std::string, std::string> unsupported_;
  std::map<std::string, const LoggedUnit*> logged_;
};

/// The provider writes NAME.json with NAME_tensor_log.json beside it for every graph; the name is
/// its own affair.
bool is_dumped_graph(const std::filesystem::path& file) {
  if (file.extension() != ".json") return false;
  return std::filesystem::exists(file.parent_path() / (file.stem().string() + "_tensor_log.json"));
}

}  // namespace

VendorFiles read_vendor_files(const std::filesystem::path& folder, const std::string& log_text,
                              const std::string& error) {
  VendorFiles files;
  files.created = error.empty();
  files.error = error;
  const std::filesystem::path trace = folder / runtime::kOperationTraceFile;
  if (std::filesystem::exists(trace)) files.trace = formats::read_framework_trace(trace);
  std::vector<std::filesystem::path> dumps;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (is_dumped_graph(entry.path())) dumps.push_back(entry.path());
  }
  std::sort(dumps.begin(), dumps.end());
  for (const auto& dump : dumps) files.graphs.push_back(formats::read_qnn_graph(dump));
  files.log = formats::parse_provider_log(log_text);
  return files;
}

PlacementReport vendor_placement(const Graph& model, const VendorFiles& files) {
  return VendorReader(model, files).run();
}

PlacementReport explain_placement(PlacementReport vendor, const PlacementReport& predicted) {
  for (Placement& node : vendor.nodes) {
    const Placement* known = predicted.find(node.node);
    if (known == nullptr || known->unit != node.unit || known->reason.empty()) continue;
    // The type of the QNN operation says nothing about why it is float.
    node.reason = node.unit == Unit::kCpu && !node.reason.empty()
                      ? format("{} (the vendor: {})", known->reason, node.reason)
                      : known->reason;
    node.fix = known->fix;
  }
  for (Rejection& rejection : vendor.rejections) {
    const auto known =
        std::find_if(predicted.rejections.begin(), predicted.rejections.end(),
                     [&](const Rejection& candidate) { return candidate.node == rejection.node; });
    if (known == predicted.rejections.end()) continue;
    rejection.reason = format("{} (the vendor: {})", known->reason, rejection.reason);
    rejection.fix = known->fix;
  }
  append(vendor.findings, predicted.findings);
  return vendor;
}

}  // namespace hexquant::pipeline
