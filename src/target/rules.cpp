#include "target/rules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/format.h"
#include "core/json.h"
#include "hexquant/error.h"

namespace hexquant::target {
namespace {

template <typename T, std::size_t kSize>
T by_name(const std::array<std::pair<const char*, T>, kSize>& table, const std::string& name) {
  for (const auto& [known, value] : table) {
    if (name == known) return value;
  }
  throw Error(ErrorCode::kInvalidData, format("unknown word '{}'", name));
}

DType parse_type(const std::string& name) {
  for (const DType type : {DType::kUInt8, DType::kInt8, DType::kUInt16, DType::kInt16, DType::kInt4,
                           DType::kUInt4, DType::kFloat16, DType::kFloat32}) {
    if (dtype_name(type) == name) return type;
  }
  throw Error(ErrorCode::kInvalidData, format("unknown type '{}'", name));
}

std::vector<DType> parse_types(const Json& names) {
  std::vector<DType> types;
  for (const Json& name : names) types.push_back(parse_type(name.get<std::string>()));
  return types;
}

OpRole parse_role(const std::string& name) {
  static constexpr std::array<std::pair<const char*, OpRole>, 6> kRoles = {
      {{"layer", OpRole::kLayer},
       {"compute", OpRole::kCompute},
       {"mover", OpRole::kMover},
       {"concat", OpRole::kConcat},
       {"float", OpRole::kFloat},
       {"ignored", OpRole::kIgnored}}};
  return by_name(kRoles, name);
}

WeightAxis parse_axis(const std::string& name) {
  static constexpr std::array<std::pair<const char*, WeightAxis>, 4> kAxes = {
      {{"first", WeightAxis::kFirst},
       {"second", WeightAxis::kSecond},
       {"trans_b", WeightAxis::kTransB},
       {"columns", WeightAxis::kColumns}}};
  return by_name(kAxes, name);
}

Granularity parse_granularity(const std::string& name) {
  static constexpr std::array<std::pair<const char*, Granularity>, 2> kNames = {
      {{"tensor", Granularity::kTensor}, {"channel", Granularity::kChannel}}};
  return by_name(kNames, name);
}

ParameterRule parse_parameter(const Json& entry) {
  ParameterRule parameter;
  parameter.input = entry.at("input").get<int>();
  parameter.bias_of = entry.value("bias_of", -1);
  for (const int bits : {8, 16}) {
    const auto found = entry.find(std::to_string(bits));
    if (found != entry.end()) parameter.types[bits] = parse_type(found->get<std::string>());
  }
  return parameter;
}

OpRule parse_op(const Json& entry, const Json& type_sets) {
  OpRule rule;
  rule.role = parse_role(entry.at("role").get<std::string>());
  if (entry.contains("types")) {
    rule.types = parse_types(type_sets.at(entry.at("types").get<std::string>()));
  }
  if (entry.contains("inputs")) rule.inputs = entry.at("inputs").get<std::vector<int>>();
  if (entry.contains("fixed_range")) {
    const Json& range = entry.at("fixed_range");
    rule.fixed_range = Range{range.at(0).get<float>(), range.at(1).get<float>()};
  }
  if (entry.contains("weight")) {
    const Json& weight = entry.at("weight");
    rule.weight =
        WeightRule{weight.at("input").get<int>(), parse_axis(weight.at("axis").get<std::string>())};
  }
  rule.bias = entry.value("bias", -1);
  rule.second_operand = entry.value("second_operand", -1);
  if (entry.contains("parameters")) {
    for (const Json& item : entry.at("parameters")) {
      rule.parameters.push_back(parse_parameter(item));
    }
  }
  rule.keeps_all = entry.value("keeps_all", false);
  rule.when = entry.value("when", std::string());
  rule.reason = entry.value("reason", std::string());
  rule.accepted_types = entry.contains("accepts")
                            ? parse_types(type_sets.at(entry.at("accepts").get<std::string>()))
                            : rule.types;
  rule.cpu_only = entry.value("runs", std::string()) == "cpu";
  rule.unfolds = entry.value("unfolds", false);
  rule.float_fails = entry.value("float_fails", false);
  rule.has_float = entry.value("float", true);
  rule.max_rank = entry.value("max_rank", rule.max_rank);
  rule.float_max_rank = entry.value("float_max_rank", rule.max_rank);
  rule.channels_last = entry.value("channels_last", false);
  return rule;
}

void parse_weight_formats(const Json& formats, Rules& rules) {
  for (const auto& [type, by_bits] : formats.items()) {
    for (const auto& [bits, names] : by_bits.items()) {
      auto& granularities = rules.weight_formats[parse_type(type)][std::stoi(bits)];
      for (const Json& name : names) {
        granularities.push_back(parse_granularity(name.get<std::string>()));
      }
    }
  }
}

OperandFormat parse_operand(const Json& entry) {
  return {parse_type(entry.at("type").get<std::string>()), entry.value("symmetric", false)};
}

WeightForm parse_form(const std::string& name) {
  static constexpr std::array<std::pair<const char*, WeightForm>, 3> kForms = {
      {{"tensor", WeightForm::kTensor},
       {"shifted", WeightForm::kShifted},
       {"channel", WeightForm::kChannel}}};
  return by_name(kForms, name);
}

void parse_accepted(const Json& json, Rules& rules) {
  for (const auto& [activation, by_type] : json.at("accepted_weights").items()) {
    for (const auto& [type, names] : by_type.items()) {
      auto& forms = rules.accepted_weights[parse_type(activation)][parse_type(type)];
      for (const Json& name : names) forms.push_back(parse_form(name.get<std::string>()));
    }
  }
  for (const auto& [activation, entries] : json.at("accepted_operands").items()) {
    auto& operands = rules.accepted_operands[parse_type(activation)];
    for (const Json& entry : entries) operands.push_back(parse_operand(entry));
  }
}

Rules parse_effective(const Json& json) {
  Rules rules;
  rules.max_rank = json.at("max_rank").get<int>();
  rules.float_types = parse_types(json.at("float_types"));
  parse_weight_formats(json.at("weight_formats"), rules);
  const Json& blocks = json.at("blocks");
  rules.block_types = parse_types(blocks.at("types"));
  rules.block_activation_bits = blocks.at("activation_bits").get<int>();
  rules.block_multiple = blocks.at("multiple_of").get<std::int64_t>();
  rules.int16_max_code = json.at("int16_max_code").get<std::int32_t>();
  rules.four_bit_gain_min_outputs = json.at("four_bit_gain_min_outputs").get<std::int64_t>();
  for (const auto& [bits, formats] : json.at("second_operand").items()) {
    for (const Json& entry : formats) {
      rules.second_operand[std::stoi(bits)].push_back(parse_operand(entry));
    }
  }
  parse_accepted(json, rules);
  for (const Json& entry : json.at("fused")) {
    rules.fused.push_back({entry.at("heads").get<std::vector<std::string>>(),
                           entry.at("tails").get<std::vector<std::string>>(),
                           entry.at("when").get<std::string>()});
  }
  for (const auto& [name, entry] : json.at("ops").items()) {
    try {
      rules.ops[name] = parse_op(entry, json.at("type_sets"));
    } catch (const std::exception& error) {
      throw Error(ErrorCode::kInvalidData, format("operation '{}': {}", name, error.what()));
    }
  }
  return rules;
}

}  // namespace

std::string op_key(const graph::Node& node) {
  return node.domain().empty() ? node.op_type() : node.domain() + ":" + node.op_type();
}

const OpRule* find_rule(const Rules& rules, const graph::Node& node) {
  const auto found = rules.ops.find(op_key(node));
  return found == rules.ops.end() ? nullptr : &found->second;
}

Rules parse_rules(const std::string& text, const std::string& origin, const std::string& htp_arch) {
  const Json file = parse_json(text, origin);
  try {
    const Json& versions = file.at("versions");
    if (!versions.contains(htp_arch)) {
      throw Error(ErrorCode::kInvalidData, format("no version '{}'", htp_arch));
    }
    Json effective = file.at("base");
    effective.merge_patch(versions.at(htp_arch));
    return parse_effective(effective);
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidData, format("{}: {}", origin, error.what()));
  } catch (const Error& error) {
    throw Error(ErrorCode::kInvalidData, format("{}: {}", origin, error.what()));
  } catch (const std::invalid_argument&) {
    throw Error(ErrorCode::kInvalidData, format("{}: a number of bits is not a number", origin));
  }
}

}  // namespace hexquant::target
