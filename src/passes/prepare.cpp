#include "passes/prepare.h"

#include <algorithm>

#include "passes/fix_input_shapes.h"
#include "passes/fold_constants.h"
#include "passes/fold_identity.h"
#include "passes/infer_shapes.h"
#include "passes/recognise_gelu.h"
#include "passes/recognise_hard_swish.h"
#include "passes/recognise_layer_norm.h"
#include "passes/recognise_rms_norm.h"
#include "passes/remove_dead_code.h"

namespace hexquant::passes {

std::vector<PassReport> prepare(graph::Graph& graph, const PrepareOptions& options) {
  std::vector<PassReport> reports;
  const auto note = [&](PassReport report) { reports.push_back(std::move(report)); };
  note(fix_input_shapes(graph, options.input_shapes));
  note(remove_dead_code(graph));
  note(fold_identity(graph));
  note(fold_constants(graph));
  note(infer_shapes(graph, options.example));
  note(fold_identity(graph));
  note(remove_dead_code(graph));
  note(complete_shapes(graph, options.example));
  return reports;
}

}  // namespace hexquant::passes
