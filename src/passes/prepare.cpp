#include "passes/prepare.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "passes/fold_batch_norm.h"
#include "passes/fold_constants.h"
#include "passes/fold_identity.h"
#include "passes/fold_matmul_add.h"
#include "passes/fold_neutral_arithmetic.h"
#include "passes/fold_pad.h"
#include "passes/infer_shapes.h"
#include "passes/propagate_shapes.h"
#include "passes/recognise_gelu.h"
#include "passes/recognise_hard_swish.h"
#include "passes/recognise_integer_input.h"
#include "passes/recognise_layer_norm.h"
#include "passes/recognise_rms_norm.h"
#include "passes/remove_dead_code.h"
#include "passes/replace_division.h"
#include "passes/separate_shared_weights.h"
#include "passes/upgrade_opset.h"

namespace hexquant::passes {
namespace {

/// Reports of the same pass become one, at the place of the first; what its last run found counts.
std::vector<PassReport> merge_reports(std::vector<PassReport> reports) {
  std::vector<PassReport> merged;
  for (PassReport& report : reports) {
    const auto same = std::find_if(merged.begin(), merged.end(), [&](const PassReport& other) {
      return other.pass == report.pass;
    });
    if (same == merged.end()) {
      merged.push_back(std::move(report));
      continue;
    }
    std::move(report.applied_to.begin(), report.applied_to.end(),
              std::back_inserter(same->applied_to));
    std::move(report.folded_norms.begin(), report.folded_norms.end(),
              std::back_inserter(same->folded_norms));
    same->findings = std::move(report.findings);
  }
  return merged;
}

using OutputTypes = std::map<std::string, graph::ValueType>;

OutputTypes declared_outputs(const graph::Graph& graph) {
  OutputTypes types;
  for (const std::string& output : graph.outputs()) {
    if (const graph::ValueType* type = graph.find_type(output)) types[output] = *type;
  }
  return types;
}

/// What the file says of its outputs fills dimensions that are still open: it is the interface.
void fill_output_types(graph::Graph& graph, const OutputTypes& declared) {
  for (const auto& [output, before] : declared) {
    const graph::ValueType* known = graph.find_type(output);
    if (known == nullptr || !known->shape || !before.shape) continue;
    graph::ValueType filled = *known;
    if (filled.shape->size() != before.shape->size()) continue;
    for (std::size_t axis = 0; axis < filled.shape->size(); ++axis) {
      graph::Dim& dim = (*filled.shape)[axis];
      if (!dim.is_fixed() && dim.symbol.empty()) dim = (*before.shape)[axis];
    }
    graph.set_type(output, std::move(filled));
  }
}

}  // namespace

const std::vector<std::string>& prepare_rewrites() {
  static const std::vector<std::string> names = {"fold_identity",           "fold_constants",
                                                 "recognise_integer_input", "fold_pad",
                                                 "fold_neutral_arithmetic", "recognise_layer_norm",
                                                 "recognise_rms_norm",      "recognise_gelu",
                                                 "recognise_hard_swish",    "replace_division",
                                                 "fold_batch_norm",         "fold_matmul_add",
                                                 "separate_shared_weights"};
  return names;
}

std::vector<PassReport> prepare(graph::Graph& graph, const PrepareOptions& options) {
  std::vector<PassReport> reports;
  const auto note = [&](PassReport report) {
    const bool changed = !report.applied_to.empty();
    if (changed && options.after_pass) options.after_pass(report, graph);
    reports.push_back(std::move(report));
    return changed;
  };
  /// A pass that may be left out.
  const auto run = [&](const char* name, PassReport (*pass)(graph::Graph&)) {
    return !options.skip.contains(name) && note(pass(graph));
  };
  const OutputTypes outputs = declared_outputs(graph);
  note(fix_input_shapes(graph, options.input_shapes));
  note(remove_dead_code(graph));
  run("fold_identity", fold_identity);
  run("fold_constants", fold_constants);

  // The less shape arithmetic, the less must be measured.
  note(declare_shapes(graph));
  note(propagate_shapes(graph));
  note(complete_shapes(graph, options.example));
  note(upgrade_opset(graph));
  note(complete_shapes(graph, options.example));
  note(propagate_shapes(graph));
  // A no-op that goes may bring two others together.
  while (run("fold_identity", fold_identity)) note(complete_shapes(graph, options.example));

  run("recognise_integer_input", recognise_integer_input);
  run("fold_pad", fold_pad);
  run("fold_neutral_arithmetic", fold_neutral_arithmetic);
  // Recognisers first: folding would take the Add(3) of a HardSwish, or the scale of an RMSNorm,
  // into the layer beside it.
  if (options.recognise_layer_norm) run("recognise_layer_norm", recognise_layer_norm);
  if (options.recognise_rms_norm) run("recognise_rms_norm", recognise_rms_norm);
  run("recognise_gelu", recognise_gelu);
  run("recognise_hard_swish", recognise_hard_swish);
  run("replace_division", replace_division);
  // Twice: a factor may stand between MatMul and Add, and a shift may need the bias of the Gemm.
  run("fold_batch_norm", fold_batch_norm);
  run("fold_matmul_add", fold_matmul_add);
  run("fold_batch_norm", fold_batch_norm);
  run("separate_shared_weights", separate_shared_weights);

  note(remove_dead_code(graph));
  note(complete_shapes(graph, options.example));
  fill_output_types(graph, outputs);
  graph.sort();
  return merge_reports(std::move(reports));
}

}  // namespace hexquant::passes
