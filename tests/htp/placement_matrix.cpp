#include "htp/placement_matrix.h"

#include <algorithm>
#include <map>

#include "core/format.h"
#include "formats/onnx/onnx_io.h"
#include "htp/qdq_models.h"
#include "pipeline/placement_lint.h"
#include "runtime/htp/htp_worker_client.h"
#include "support/temp_folder.h"
#include "target/placement.h"
#include "target/target.h"

namespace hexquant::test {
namespace {

using target::Placement;
using target::PlacementReport;
using target::Unit;

constexpr double kSecondsPerModel = 60.0;

runtime::HtpOptions options_for(int soc_model) {
  runtime::HtpOptions options;
  options.soc_model = soc_model;
  options.vtcm_mb = 4;  // what the smallest of the chips has; placement does not depend on it
  options.optimization = 1;
  options.trace = true;
  options.log_level = 0;
  return options;
}

bool is_pair_part(const graph::Node& node) {
  return node.op_type() == "QuantizeLinear" || node.op_type() == "DequantizeLinear";
}

bool has_op(const graph::Graph& graph, const std::string& op_type) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                     [&](const graph::Node& node) { return node.op_type() == op_type; });
}

bool has_rank_above(const graph::Graph& graph, const graph::Node& node, std::size_t rank) {
  const graph::ValueType* type = graph.find_type(node.input(0));
  return type != nullptr && type->shape && type->shape->size() > rank;
}

bool has_blocks(const graph::Graph& graph, const graph::Node& node) {
  return std::any_of(node.inputs().begin(), node.inputs().end(), [&](const std::string& input) {
    const graph::Node* producer = graph.producer(input);
    return producer != nullptr && producer->int_attribute("block_size", 0) != 0;
  });
}

/// Known causes, by rule: never by the name of a node or the number of a model.
std::string node_cause(const graph::Graph& graph, const graph::Node& node,
                       const pipeline::VendorFiles& files, const Placement& vendor) {
  if (vendor.unit == Unit::kFolded) return "removed by ONNX Runtime's optimizer";
  if (has_op(graph, "Mish") || has_op(graph, "HardSwish")) return "function unfolded";
  const bool by_parts = node.op_type() == "ReduceL2" || has_blocks(graph, node);
  if (!files.created && by_parts) return "parts unknown without a trace";
  if (has_rank_above(graph, node, 5)) return "more than 5 dimensions, reshaped on the way";
  return "";
}

std::string verdict_cause(const pipeline::VendorFiles& files) {
  if (files.error.find("finalize") != std::string::npos) return "compiler gave up at the end";
  return "";
}

class Comparison {
 public:
  Comparison(int index, const QdqModel& model, const pipeline::VendorFiles& files,
             MatrixResult& result)
      : index_(index), model_(model), files_(files), result_(result) {}

  void run(const PlacementReport& vendor, const PlacementReport& predicted) {
    compare_verdicts(vendor, predicted);
    for (const graph::Node& node : model_.graph.nodes()) {
      if (!is_pair_part(node)) compare_node(node, vendor, predicted);
    }
  }

 private:
  void compare_verdicts(const PlacementReport& vendor, const PlacementReport& predicted) {
    const bool rejected = !vendor.rejections.empty();
    const bool expected = !predicted.rejections.empty();
    if (rejected == expected) {
      ++result_.equal_verdicts;
      return;
    }
    const target::Rejection& reason = rejected ? vendor.rejections[0] : predicted.rejections[0];
    add(reason.node, "", rejected ? "rejected" : "accepted", expected ? "rejected" : "accepted",
        rejected ? reason.reason : "", expected ? reason.reason : "", verdict_cause(files_));
  }

  void compare_node(const graph::Node& node, const PlacementReport& vendor,
                    const PlacementReport& predicted) {
    const Placement* theirs = vendor.find(node.name());
    const Placement* ours = predicted.find(node.name());
    ++result_.nodes;
    if (theirs != nullptr && ours != nullptr && theirs->unit == ours->unit) {
      ++result_.equal_nodes;
      return;
    }
    const Placement missing{node.name(), node.op_type(), Unit::kFolded, "not placed", ""};
    const Placement& a = theirs == nullptr ? missing : *theirs;
    const Placement& b = ours == nullptr ? missing : *ours;
    add(node.name(), node.op_type(), unit_name(a.unit), unit_name(b.unit), a.reason, b.reason,
        node_cause(model_.graph, node, files_, a));
  }

  void add(const std::string& node, const std::string& op_type, const std::string& vendor,
           const std::string& predicted, const std::string& vendor_reason,
           const std::string& predicted_reason, const std::string& cause) {
    result_.disagreements.push_back({index_, model_.htp_arch, node, op_type, vendor, predicted,
                                     vendor_reason, predicted_reason, cause});
  }

  int index_;
  const QdqModel& model_;
  const pipeline::VendorFiles& files_;
  MatrixResult& result_;
};

/// Without separators, so that it is one field.
std::string field(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == ',' || c == '"' || c == '\n'; }, ' ');
  return text;
}

}  // namespace

int MatrixResult::unexplained() const {
  return static_cast<int>(std::count_if(disagreements.begin(), disagreements.end(),
                                        [](const Disagreement& d) { return d.cause.empty(); }));
}

MatrixResult compare_placements(const runtime::HtpInstallation& installation, std::uint64_t seed,
                                int count) {
  MatrixResult result;
  const TempFolder folder;
  std::map<int, target::Rules> rules;
  for (int i = 0; i < count; ++i) {
    const QdqModel model = make_qdq_model(seed, i);
    if (!rules.contains(model.soc_model)) {
      rules[model.soc_model] = target::load_target(std::to_string(model.soc_model)).rules;
    }
    const std::filesystem::path file = folder.path() / "model.onnx";
    formats::write_onnx(model.graph, file);
    runtime::HtpWorker worker(installation, file, options_for(model.soc_model), {kSecondsPerModel});
    worker.close();
    ++result.models;
    const auto& failure = worker.failure();
    if (failure && failure->kind != runtime::HtpFailureKind::kRejected) {
      ++result.not_compiled;
      continue;
    }
    const pipeline::VendorFiles files =
        pipeline::read_vendor_files(worker.folder(), worker.log(), failure ? failure->reason : "");
    Comparison(i, model, files, result)
        .run(pipeline::vendor_placement(model.graph, files),
             target::predict_placement(rules[model.soc_model], model.graph));
  }
  return result;
}

std::string disagreements_csv(const MatrixResult& result, std::uint64_t seed) {
  std::string csv =
      "seed,model,htp_arch,node,op,vendor,predicted,cause,vendor_reason,predicted_reason\n";
  for (const Disagreement& d : result.disagreements) {
    csv += format("{},{},{},{},{},{},{},{},{},{}\n", seed, d.model, d.htp_arch, d.node, d.op_type,
                  d.vendor, d.predicted, d.cause.empty() ? "unexplained" : field(d.cause),
                  field(d.vendor_reason), field(d.predicted_reason));
  }
  return csv;
}

std::string summary_text(const MatrixResult& result, std::uint64_t seed) {
  std::string text = format(
      "seed {}: {} models ({} not compiled), {} of {} nodes agree ({:.2f} %), {} of {} verdicts\n",
      seed, result.models, result.not_compiled, result.equal_nodes, result.nodes,
      100.0 * result.node_agreement(), result.equal_verdicts, result.models - result.not_compiled);
  std::map<std::string, int> causes;
  for (const Disagreement& d : result.disagreements) {
    ++causes[d.cause.empty() ? "unexplained" : d.cause];
  }
  for (const auto& [cause, number] : causes) text += format("  {:4}  {}\n", number, cause);
  return text;
}

}  // namespace hexquant::test
