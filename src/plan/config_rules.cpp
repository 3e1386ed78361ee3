#include "plan/config_rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>

#include "core/format.h"

namespace hexquant::plan {
namespace {

using graph::Node;
using quant::QuantsimKernel;
using quant::QuantsimOp;
using quant::QuantsimParam;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::array<const char*, 3> kPasses = {"LayerNormalization", "RMSNormalization",
                                                "MatmulAdd"};

bool equal_without_case(const std::string& a, const std::string& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

}  // namespace

const QuantsimOp* ConfigRules::find_op(const Node& node) const {
  const auto found = config_->op_types.find(node.op_type());
  return found == config_->op_types.end() ? nullptr : &found->second;
}

bool ConfigRules::quantizes_inputs(const Node& node) const {
  if (!given()) return true;
  const QuantsimOp* op = find_op(node);
  if (op != nullptr && op->is_input_quantized) return *op->is_input_quantized;
  return config_->default_op.is_input_quantized.value_or(false);
}

bool ConfigRules::quantizes_outputs(const Node& node) const {
  if (!given()) return true;
  const QuantsimOp* op = find_op(node);
  if (op != nullptr && op->is_output_quantized) return *op->is_output_quantized;
  return config_->default_op.is_output_quantized.value_or(false);
}

bool ConfigRules::quantizes_model_inputs() const {
  return !given() || config_->model_input_quantized.value_or(false);
}

bool ConfigRules::quantizes_model_outputs() const {
  return given() && config_->model_output_quantized.value_or(false);
}

bool ConfigRules::symmetric_activations(const Node& node) const {
  if (!given()) return false;
  const QuantsimOp* op = find_op(node);
  if (op != nullptr && op->is_symmetric) return *op->is_symmetric;
  return config_->default_op.is_symmetric.value_or(false);
}

bool ConfigRules::unsigned_symmetric() const {
  return given() && config_->unsigned_symmetric.value_or(false);
}

bool ConfigRules::strict_symmetric() const {
  return given() && config_->strict_symmetric.value_or(false);
}

std::optional<bool> ConfigRules::param_flag(const Node& node, const char* kind,
                                            std::optional<bool> QuantsimParam::*flag) const {
  const auto look_up = [&](const std::map<std::string, QuantsimParam>& params) {
    const auto found = params.find(kind);
    return found == params.end() ? std::nullopt : found->second.*flag;
  };
  const QuantsimOp* op = find_op(node);
  if (op != nullptr) {
    if (const auto value = look_up(op->params)) return value;
  }
  if (const auto value = look_up(config_->params)) return value;
  return config_->default_param.*flag;
}

bool ConfigRules::quantizes_param(const Node& node, const char* kind) const {
  if (!given()) return true;
  return param_flag(node, kind, &QuantsimParam::is_quantized).value_or(false);
}

std::optional<bool> ConfigRules::symmetric_param(const Node& node, const char* kind) const {
  if (!given()) return std::nullopt;
  return param_flag(node, kind, &QuantsimParam::is_symmetric).value_or(false);
}

std::optional<bool> ConfigRules::per_channel(const Node& node) const {
  if (!given()) return std::nullopt;
  const QuantsimOp* op = find_op(node);
  if (op != nullptr && op->per_channel) return op->per_channel;
  return config_->default_op.per_channel.value_or(false);
}

std::optional<Range> ConfigRules::fixed_range(const Node& node, const target::OpRule& rule) const {
  if (!given()) return rule.fixed_range;
  const QuantsimOp* op = find_op(node);
  if (op == nullptr || !op->constraints || !op->constraints->max) return std::nullopt;
  return Range{static_cast<float>(op->constraints->min), static_cast<float>(*op->constraints->max)};
}

std::optional<Range> ConfigRules::range_limits(const Node& node) const {
  if (!given()) return std::nullopt;
  const QuantsimOp* op = find_op(node);
  if (op == nullptr || !op->constraints || op->constraints->max) return std::nullopt;
  return Range{static_cast<float>(op->constraints->min), kInfinity};
}

const std::vector<QuantsimKernel>* ConfigRules::kernels(const Node& node) const {
  if (!given()) return nullptr;
  const QuantsimOp* op = find_op(node);
  const auto& list =
      op != nullptr && !op->kernels.empty() ? op->kernels : config_->default_op.kernels;
  return list.empty() ? nullptr : &list;
}

bool ConfigRules::has_integer_kernel(const Node& node, int act_bits) const {
  const auto* list = kernels(node);
  return list == nullptr || std::any_of(list->begin(), list->end(), [&](const auto& kernel) {
           return !kernel.act_float && (act_bits == 0 || kernel.act_bits == act_bits);
         });
}

bool ConfigRules::has_weight_kernel(const Node& node, int act_bits, int weight_bits) const {
  const auto* list = kernels(node);
  return list == nullptr || std::any_of(list->begin(), list->end(), [&](const auto& kernel) {
           return !kernel.act_float && kernel.act_bits == act_bits && !kernel.param_float &&
                  (kernel.param_bits == 0 || kernel.param_bits == weight_bits);
         });
}

bool ConfigRules::runs_pass(const char* name) const {
  if (!given()) return true;
  if (!config_->supergroup_passes) return false;
  const auto& passes = *config_->supergroup_passes;
  return std::find(passes.begin(), passes.end(), name) != passes.end();
}

void check_config(const quant::QuantsimConfig& config, const target::Target& target,
                  Findings& findings) {
  if (!config.hw_version.empty() && !equal_without_case(config.hw_version, target.soc.htp_arch)) {
    findings.push_back({"config-hw-version", Severity::kWarning, config.origin,
                        format("it is for {}, but {} has HTP {}", config.hw_version,
                               target.soc.name, target.soc.htp_arch),
                        "take the configuration of the chip's version, or another --soc"});
  }
  if (!config.supergroup_passes) return;
  for (const std::string& pass : *config.supergroup_passes) {
    if (std::find(kPasses.begin(), kPasses.end(), pass) != kPasses.end()) continue;
    findings.push_back({"config-unknown-pass", Severity::kWarning, config.origin,
                        format("supergroup pass '{}' is not known and left out", pass),
                        format("known: {}", join(kPasses, ", "))});
  }
}

}  // namespace hexquant::plan
