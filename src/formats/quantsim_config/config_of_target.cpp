#include <algorithm>
#include <cctype>
#include <set>

#include "core/format.h"
#include "formats/quantsim_config/quantsim_config.h"

namespace hexquant::formats {
namespace {

using quant::QuantsimConfig;
using quant::QuantsimKernel;
using quant::QuantsimOp;
using target::OpRole;
using target::OpRule;
using target::Rules;

constexpr QuantsimKernel kFloatKernel = {16, true, 16, true};

/// Widths of activations in which the operation runs in integers.
std::vector<int> act_widths(const OpRule& rule) {
  std::vector<int> widths;
  for (const auto& [type, bits] : {std::pair{DType::kUInt8, 8}, std::pair{DType::kUInt16, 16}}) {
    if (std::find(rule.types.begin(), rule.types.end(), type) != rule.types.end()) {
      widths.push_back(bits);
    }
  }
  return widths;
}

/// Widths of weights that go with activations of `act_bits`.
std::set<int> weight_widths(const Rules& rules, int act_bits) {
  std::set<int> widths;
  for (const auto& [type, by_bits] : rules.weight_formats) {
    if (by_bits.contains(act_bits)) widths.insert(dtype_bits(type));
  }
  return widths;
}

std::vector<QuantsimKernel> kernels_of(const Rules& rules, const OpRule& rule) {
  std::vector<QuantsimKernel> kernels;
  for (const int act_bits : act_widths(rule)) {
    if (rule.weight) {
      for (const int bits : weight_widths(rules, act_bits)) {
        kernels.push_back({act_bits, false, bits, false});
      }
    } else {
      kernels.push_back({act_bits, false, 0, false});
    }
  }
  return kernels;
}

/// ONNX names of the parameters of an operation, by input.
const char* parameter_kind(int input) {
  return input == 1 ? "weight" : "bias";
}

QuantsimOp op_of(const Rules& rules, const OpRule& rule) {
  QuantsimOp op;
  switch (rule.role) {
    case OpRole::kFloat:
      op.kernels = {kFloatKernel};
      return op;
    case OpRole::kMover:
    case OpRole::kConcat:
      // They move codes: the output has the encoding of what is moved.
      op.is_output_quantized = rule.role == OpRole::kConcat;
      return op;
    case OpRole::kIgnored:
      return op;
    case OpRole::kLayer:
    case OpRole::kCompute:
      break;
  }
  op.kernels = kernels_of(rules, rule);
  if (rule.weight) op.per_channel = true;
  for (const target::ParameterRule& parameter : rule.parameters) {
    if (parameter.bias_of < 0) {
      op.params[parameter_kind(parameter.input)].is_symmetric = false;
    }
  }
  if (rule.fixed_range) op.constraints = {rule.fixed_range->min, rule.fixed_range->max};
  return op;
}

std::vector<QuantsimKernel> default_kernels(const Rules& rules) {
  std::vector<QuantsimKernel> kernels;
  for (const int act_bits : {8, 16}) {
    for (const int bits : weight_widths(rules, act_bits)) {
      kernels.push_back({act_bits, false, bits, false});
    }
  }
  if (rules.has_float()) kernels.push_back(kFloatKernel);
  return kernels;
}

void add_supergroups(const Rules& rules, QuantsimConfig& config, Findings& findings) {
  config.supergroup_passes = {"LayerNormalization", "RMSNormalization"};
  for (const target::FusionRule& rule : rules.fused) {
    if (rule.when == "constant_bias") {
      config.supergroup_passes->emplace_back("MatmulAdd");
      continue;
    }
    for (const std::string& head : rule.heads) {
      for (const std::string& tail : rule.tails) {
        config.supergroups.push_back({head, tail});
        if (tail != "Clip") continue;
        findings.push_back({"config-condition", Severity::kInfo, format("{}, {}", head, tail),
                            "the HTP fuses a Clip from 0 only; a supergroup cannot say so", ""});
      }
    }
  }
}

void report_rest(const Rules& rules, Findings& findings) {
  const auto lost = [&](const char* where, const std::string& reason) {
    findings.push_back({"config-not-expressed", Severity::kInfo, where, reason, ""});
  };
  lost("MatMul", "types of a computed second operand have no place in this form");
  lost("Pad", "movers share the encoding of their input only under conditions on the node");
  if (!rules.block_types.empty()) {
    lost("blocks", format("block-quantized weights with {}-bit activations have no place in this "
                          "form",
                          rules.block_activation_bits));
  }
}

}  // namespace

QuantsimConfig config_of_target(const target::Target& target, Findings& findings) {
  const Rules& rules = target.rules;
  QuantsimConfig config;
  config.origin = target.soc.name;
  config.hw_version = target.soc.htp_arch;
  for (char& c : config.hw_version) {
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  config.default_op.is_output_quantized = true;
  config.default_op.per_channel = false;
  config.default_op.kernels = default_kernels(rules);
  config.default_param = {true, true};
  config.strict_symmetric = false;
  config.unsigned_symmetric = false;
  config.params["bias"].is_quantized = false;
  for (const auto& [key, rule] : rules.ops) {
    // The form knows operations without their domain; that of ONNX itself comes first in the map.
    const std::string type = key.substr(key.find(':') + 1);
    QuantsimOp op = op_of(rules, rule);
    if (op == QuantsimOp()) continue;
    if (type == key || !config.op_types.contains(type)) config.op_types[type] = std::move(op);
  }
  add_supergroups(rules, config, findings);
  config.model_input_quantized = true;
  report_rest(rules, findings);
  return config;
}

}  // namespace hexquant::formats
