#include "plan/plan.h"

#include <string>

#include "core/finding_list.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "plan/activations.h"
#include "plan/classify.h"
#include "plan/fusion.h"
#include "plan/islands.h"
#include "plan/layers.h"
#include "plan/lint.h"
#include "plan/node_wishes.h"
#include "plan/pattern.h"
#include "plan/quantization_points.h"
#include "plan/sharing.h"
#include "plan/supergroups.h"
#include "plan/tensor_overrides.h"

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

/// Everything that the user asks beyond options of layers, found in the graph.
struct Wishes {
  ConfigRules config;
  TensorOverrides overrides;
  Supergroups supergroups;
  NodeWishes nodes;
};

/// What becomes of every node, which of them run as one, and which values share an encoding.
struct Placement {
  Context context;
  Fusions fusions;
  Sharing sharing;

  Placement(const graph::Graph& graph, const target::Target& target, const PlanOptions& options,
            const Wishes& wishes, Findings& findings)
      : context{graph,
                target,
                options,
                wishes.config,
                wishes.overrides,
                classify_nodes(graph, target, options, wishes.config, wishes.nodes, findings)},
        fusions(fuse(context, wishes.supergroups, findings)),
        sharing(context, fusions) {}

 private:
  static Fusions fuse(Context& context, const Supergroups& groups, Findings& findings) {
    demote_islands(context, findings);
    drop_idle_movers(context);
    Fusions fusions = find_fusions(context, groups, findings);
    leave_out_unquantized(context, fusions);
    return fusions;
  }
};

Wishes collect_wishes(const graph::Graph& graph, const target::Target& target,
                      const PlanOptions& options, Findings& findings) {
  Wishes wishes{ConfigRules(options.config.get()), {}, {}, {}};
  if (options.config) check_config(*options.config, target, findings);
  wishes.supergroups = find_supergroups(graph, options, findings);
  if (!options.overrides) return wishes;
  append(findings, options.overrides->findings);
  wishes.overrides =
      TensorOverrides(*options.overrides, {graph, target.rules}, options.original, findings);
  wishes.nodes = wishes_of_names(graph, target.rules, wishes.overrides);
  if (wishes.overrides.empty()) return wishes;
  // Widths of values become widths of nodes; who computes and who shares is known after placement.
  Findings ignored;
  const Placement trial(graph, target, options, wishes, ignored);
  add_activation_wishes(trial.context, trial.fusions, trial.sharing, wishes.nodes);
  return wishes;
}

}  // namespace

quant::QuantPlan make_plan(const graph::Graph& graph, const target::Target& target,
                           const PlanOptions& options) {
  check_options(graph, options);
  quant::QuantPlan plan;
  const Wishes wishes = collect_wishes(graph, target, options, plan.findings);
  Placement placement(graph, target, options, wishes, plan.findings);
  const Context& context = placement.context;
  plan_activations(context, placement.fusions, placement.sharing, plan);
  plan_layers(context, placement.fusions, plan);
  lint_plan(context, placement.fusions, plan);
  wishes.overrides.report_effects(plan);
  return plan;
}

}  // namespace hexquant::plan
