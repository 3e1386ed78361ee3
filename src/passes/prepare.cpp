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

std::vector<PassReport> prepare(graph::Graph& graph, const PrepareOptions& options) {
  std::vector<PassReport> reports;
  const auto note = [&](PassReport report) {
    reports.push_back(std::move(report));
    return !reports.back().applied_to.empty();
  };
  const OutputTypes outputs = declared_outputs(graph);
  note(fix_input_shapes(graph, options.input_shapes));
  note(remove_dead_code(graph));
  note(fold_identity(graph));
  note(fold_constants(graph));

  // The less shape arithmetic, the less must be measured.
  note(declare_shapes(graph));
  note(propagate_shapes(graph));
  note(complete_shapes(graph, options.example));
  note(upgrade_opset(graph));
  note(complete_shapes(graph, options.example));
  note(propagate_shapes(graph));
  // A no-op that goes may bring two others together.
  while (note(fold_identity(graph))) note(complete_shapes(graph, options.example));

  note(fold_pad(graph));
  note(fold_neutral_arithmetic(graph));
  // Recognisers first: folding would take the Add(3) of a HardSwish, or the scale of an RMSNorm,
  // into the layer beside it.
  if (options.recognise_layer_norm) note(recognise_layer_norm(graph));
  if (options.recognise_rms_norm) note(recognise_rms_norm(graph));
  note(recognise_gelu(graph));
  note(recognise_hard_swish(graph));
  note(replace_division(graph));
  // Twice: a factor may stand between MatMul and Add, and a shift may need the bias of the Gemm.
  note(fold_batch_norm(graph));
  note(fold_matmul_add(graph));
  note(fold_batch_norm(graph));
  note(separate_shared_weights(graph));

  note(remove_dead_code(graph));
  note(complete_shapes(graph, options.example));
  fill_output_types(graph, outputs);
  graph.sort();
  return merge_reports(std::move(reports));
}

}  // namespace hexquant::passes
