#include "pipeline/width_forms.h"

#include <utility>

#include "calibrate/calibrator.h"
#include "calibrate/encode_activations.h"
#include "plan/plan.h"

namespace hexquant::pipeline {
namespace {

constexpr int kWideBits = 16;

/// The same layers all at one width: nothing of what the recipe says about single layers.
plan::PlanOptions at_widths(const plan::PlanOptions& given, int weight_bits, int act_bits) {
  plan::PlanOptions options = given;
  options.layer_bits.clear();
  options.weight_bits = weight_bits;
  options.weight_bits_everywhere = true;
  options.act_bits = weight_bits == kWideBits ? kWideBits : act_bits;
  return options;
}

DType unsigned_type(int bits) {
  if (bits == 4) return DType::kUInt4;
  return bits == kWideBits ? DType::kUInt16 : DType::kUInt8;
}

DType signed_type(int bits) {
  if (bits == 4) return DType::kInt4;
  return bits == kWideBits ? DType::kInt16 : DType::kInt8;
}

bool is_signed(DType type) {
  return type == DType::kInt4 || type == DType::kInt8 || type == DType::kInt16;
}

/// The plan with all activations in `bits`; edges, which only convert, are left out.
quant::QuantPlan with_activations(const quant::QuantPlan& plan, int bits) {
  quant::QuantPlan other;
  for (const auto& [name, policy] : plan.tensors) {
    if (policy.role != quant::Role::kActivation) continue;
    quant::TensorPolicy retyped = policy;
    if (dtype_bits(policy.type) != bits) {
      retyped.type = is_signed(policy.type) ? signed_type(bits) : unsigned_type(bits);
      retyped.fixed_encoding.reset();
    }
    other.tensors[name] = retyped;
  }
  return other;
}

/// Initializers that have the width, in the role that they have in the plan.
std::set<std::string> weights_of_width(const graph::Graph& graph, const quant::QuantPlan& plan,
                                       int bits) {
  std::set<std::string> names;
  for (const auto& [name, policy] : plan.tensors) {
    if (dtype_bits(policy.type) == bits && graph.find_initializer(name) != nullptr) {
      names.insert(name);
    }
  }
  return names;
}

}  // namespace

WidthForms make_width_forms(const Recipe& recipe, QuantizeOptions options,
                            const target::Target& target, const std::set<int>& weight_bits,
                            const std::set<int>& act_bits, int threads, ProgressSink& progress) {
  if (options.rounding) options.rounding->mode = RoundingMode::kOnePass;
  WidthForms forms;
  QuantizedModel& model = forms.model;
  forms.data = read_and_prepare(recipe, options, target, threads, model, progress);
  options.plan.original = &model.original;
  model.plan = plan::make_plan(model.prepared, target, options.plan);

  std::map<int, quant::QuantPlan> weight_plans;
  std::map<int, quant::QuantPlan> act_plans;
  std::map<std::string, calibrate::Tap> taps = calibrate::taps_for_plan(model.prepared, model.plan);
  const auto add = [&](std::map<int, quant::QuantPlan>& plans, int bits, quant::QuantPlan plan) {
    taps.merge(calibrate::taps_for_plan(model.prepared, plan));
    // Where widths are mixed, values may need an encoding of their own that shared one here.
    for (const auto& [name, policy] : plan.tensors) {
      if (policy.role == quant::Role::kActivation && !policy.shares_encoding_of.empty() &&
          model.prepared.find_initializer(name) == nullptr) {
        taps.try_emplace(name);
      }
    }
    plans.emplace(bits, std::move(plan));
  };
  const int base_bits = options.plan.act_bits;
  for (const int bits : weight_bits) {
    add(weight_plans, bits,
        plan::make_plan(model.prepared, target, at_widths(options.plan, bits, base_bits)));
  }
  for (const int bits : act_bits) {
    const int planned = bits == kWideBits ? kWideBits : 8;
    add(act_plans, bits,
        with_activations(
            plan::make_plan(model.prepared, target, at_widths(options.plan, 8, planned)), bits));
  }
  model.statistics = calibrate::calibrate(model.prepared, *forms.data, taps,
                                          gram_requests(model.prepared, model.plan, options),
                                          {threads, recipe.seed}, progress);

  for (auto& [bits, plan] : weight_plans) {
    QuantizedModel one;
    one.prepared = model.prepared;
    one.statistics = model.statistics;
    one.plan = std::move(plan);
    encode_and_round(recipe, options, *forms.data, threads, one, progress);
    forms.weights_at[bits] = weights_of_width(one.prepared, one.plan, bits);
    forms.weights[bits] = std::move(one.weights_on_grid);
    forms.weight_encodings[bits] = std::move(one.encodings);
  }
  Findings ignored;  // the same for every width
  for (const auto& [bits, plan] : act_plans) {
    forms.activations[bits] =
        calibrate::encode_activations(model.prepared, plan, model.statistics, options.observer,
                                      bits == act_plans.begin()->first ? model.findings : ignored)
            .tensors;
  }
  return forms;
}

}  // namespace hexquant::pipeline
