#include "pipeline/group_options.h"

#include <set>
#include <string>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"
#include "plan/layer_bits.h"
#include "quant/matmul_nbits.h"

namespace hexquant::pipeline {
namespace {

/// 4-bit codes times integers of 4 bits: the 8-bit grid that LPBQ expands to.
constexpr int kBlockScaleBits = 4;

void check_choice(const char* option, const std::string& value, const char* a, const char* b) {
  if (value == a || value == b) return;
  throw Error(ErrorCode::kInvalidArgument,
              format("{} '{}': expected {} or {}", option, value, a, b));
}

void check_groups(const char* option, const std::string& value, const Recipe& recipe,
                  const plan::PlanOptions& plan) {
  if (plan.granularity == Granularity::kGroup) return;
  throw Error(ErrorCode::kInvalidArgument,
              format("{} '{}' with granularity '{}': expected granularity group:N", option, value,
                     recipe.granularity));
}

/// MatMulNBits nodes whose input is known not to have three dimensions.
std::vector<std::string> nbits_of_other_rank(const QuantizedModel& model) {
  std::set<std::string> packed;
  for (const graph::Node& node : model.quantized.nodes()) {
    if (node.op_type() == "MatMulNBits") packed.insert(node.name());
  }
  std::vector<std::string> names;
  for (const graph::Node& node : model.prepared.nodes()) {
    const graph::ValueType* type = model.prepared.find_type(node.input(0));
    if (!packed.contains(node.name()) || type == nullptr || !type->shape) continue;
    if (type->shape->size() != 3) names.push_back(node.name());
  }
  return names;
}

}  // namespace

void resolve_groups(const Recipe& recipe, QuantizeOptions& options) {
  for (const std::string& text : recipe.layer_bits) {
    options.plan.layer_bits.push_back(plan::parse_layer_bits(text));
  }
  check_choice("block scale", recipe.block_scale, "float", "lpbq");
  check_choice("group format", recipe.group_format, "qdq", "matmulnbits");
  if (recipe.block_scale == "lpbq") {
    check_groups("block scale", recipe.block_scale, recipe, options.plan);
    options.plan.block_scale_bits = kBlockScaleBits;
  }
  if (recipe.group_format != "matmulnbits") return;
  check_groups("group format", recipe.group_format, recipe, options.plan);
  if (!quant::is_nbits_block(options.plan.group_size)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("granularity '{}' with group format 'matmulnbits': expected a power of two "
                       "from 16 on",
                       recipe.granularity));
  }
  options.matmul_nbits = true;
}

void add_group_findings(QuantizedModel& model) {
  std::vector<std::string> blocks;
  for (const auto& [name, encoding] : model.encodings.tensors) {
    if (encoding.granularity == Granularity::kGroup) blocks.push_back(name);
  }
  if (!blocks.empty()) {
    model.findings.push_back(
        {"overrides-without-groups", Severity::kWarning, "overrides.json",
         format("quantization overrides cannot express groups: {} weights are left out: {}",
                blocks.size(), join(blocks, ", ")),
         "give the converter model.encodings instead"});
  }
  const std::vector<std::string> flat = nbits_of_other_rank(model);
  if (flat.empty()) return;
  model.findings.push_back(
      {"matmulnbits-rank", Severity::kWarning, "model.onnx",
       format("the HTP's provider takes MatMulNBits with inputs of three dimensions only; the CPU "
              "runs {} nodes: {}",
              flat.size(), join(flat, ", ")),
       "use --group-format qdq"});
}

}  // namespace hexquant::pipeline
