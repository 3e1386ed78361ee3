#include "plan/plan.h"

#include <string>

#include "core/format.h"
#include "hexquant/error.h"
#include "plan/activations.h"
#include "plan/classify.h"
#include "plan/fusion.h"
#include "plan/islands.h"
#include "plan/layers.h"
#include "plan/lint.h"
#include "plan/pattern.h"
#include "plan/sharing.h"

namespace hexquant::plan {
namespace {

void check_one_of(const std::string& option, std::int64_t value,
                  std::initializer_list<std::int64_t> allowed) {
  for (const std::int64_t one : allowed) {
    if (value == one) return;
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("{} is {}: expected {}", option, value, join(allowed, ", ")));
}

void check_options(const graph::Graph& graph, const PlanOptions& options) {
  check_one_of("weight bits", options.weight_bits, {4, 8, 16});
  check_one_of("activation bits", options.act_bits, {8, 16});
  check_one_of("bias bits", options.bias_bits, {8, 32});
  if (options.granularity == Granularity::kGroup && options.group_size <= 0) {
    throw Error(ErrorCode::kInvalidArgument,
                format("group size is {}: expected a positive number", options.group_size));
  }
  check_one_of("bits of block scales", options.block_scale_bits, {0, 4});
  for (const std::string& pattern : options.keep_float) {
    check_matches_some_node(graph, pattern, "--keep-float");
  }
  for (const LayerBits& layer : options.layer_bits) {
    check_matches_some_node(graph, layer.pattern, "layer bits for");
    check_one_of(format("weight bits of '{}'", layer.pattern), layer.weight_bits, {0, 4, 8, 16});
    check_one_of(format("activation bits of '{}'", layer.pattern), layer.act_bits, {0, 8, 16});
  }
}

}  // namespace

quant::QuantPlan make_plan(const graph::Graph& graph, const target::Target& target,
                           const PlanOptions& options) {
  check_options(graph, options);
  quant::QuantPlan plan;
  Context context{graph, target, options, classify_nodes(graph, target, options, plan.findings)};
  demote_islands(context, plan.findings);
  drop_idle_movers(context);
  const Fusions fusions = find_fusions(context);
  const Sharing sharing(context, fusions);
  plan_activations(context, fusions, sharing, plan);
  plan_layers(context, fusions, plan);
  lint_plan(context, fusions, plan);
  return plan;
}

}  // namespace hexquant::plan
