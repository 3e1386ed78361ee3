#include <array>
#include <tuple>
#include <utility>

#include "core/file_io.h"
#include "core/json_cursor.h"
#include "formats/expect_keys.h"
#include "formats/quantsim_config/quantsim_config.h"

namespace hexquant::formats {
namespace {

using quant::QuantsimConfig;
using quant::QuantsimConstraints;
using quant::QuantsimKernel;
using quant::QuantsimOp;
using quant::QuantsimParam;

void read_flag(const JsonCursor& json, const char* key, std::optional<bool>& value) {
  if (const auto found = json.find(key)) value = found->boolean();
}

QuantsimParam read_param(const JsonCursor& json) {
  expect_keys(json, {"is_quantized", "is_symmetric"});
  QuantsimParam param;
  read_flag(json, "is_quantized", param.is_quantized);
  read_flag(json, "is_symmetric", param.is_symmetric);
  return param;
}

std::map<std::string, QuantsimParam> read_params(const JsonCursor& json) {
  std::map<std::string, QuantsimParam> params;
  json.each_member(
      [&](const std::string& kind, const JsonCursor& value) { params[kind] = read_param(value); });
  return params;
}

/// {"bitwidth": 8, "dtype": "int"}
std::pair<int, bool> read_format(const JsonCursor& json) {
  expect_keys(json, {"bitwidth", "dtype"});
  const JsonCursor width = json.at("bitwidth");
  const auto bits = width.integer(4, 32);
  if (bits != 4 && bits != 8 && bits != 16 && bits != 32) width.fail("4, 8, 16 or 32");
  const JsonCursor dtype = json.at("dtype");
  if (dtype.text() != "int" && dtype.text() != "float") dtype.fail("\"int\" or \"float\"");
  return {static_cast<int>(bits), dtype.text() == "float"};
}

std::vector<QuantsimKernel> read_kernels(const JsonCursor& json, bool needs_params) {
  if (json.expect_array().size() == 0) json.fail("one kernel or more");
  std::vector<QuantsimKernel> kernels;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const JsonCursor entry = json.at(i);
    expect_keys(entry, {"activation", "param"});
    QuantsimKernel kernel;
    std::tie(kernel.act_bits, kernel.act_float) = read_format(entry.at("activation"));
    if (needs_params || entry.find("param")) {
      std::tie(kernel.param_bits, kernel.param_float) = read_format(entry.at("param"));
    }
    kernels.push_back(kernel);
  }
  return kernels;
}

QuantsimConstraints read_constraints(const JsonCursor& json) {
  expect_keys(json, {"min", "max"});
  QuantsimConstraints constraints;
  constraints.min = json.at("min").number();
  if (const auto max = json.find("max")) constraints.max = max->number();
  const bool holds_zero = constraints.min <= 0.0 && constraints.max.value_or(0.0) >= 0.0;
  if (!holds_zero || constraints.max == constraints.min) json.fail("min < max with 0 between");
  return constraints;
}

QuantsimOp read_op(const JsonCursor& json) {
  expect_keys(json, {"is_input_quantized", "is_output_quantized", "is_symmetric", "params",
                     "supported_kernels", "per_channel_quantization", "encoding_constraints"});
  QuantsimOp op;
  read_flag(json, "is_input_quantized", op.is_input_quantized);
  read_flag(json, "is_output_quantized", op.is_output_quantized);
  read_flag(json, "is_symmetric", op.is_symmetric);
  read_flag(json, "per_channel_quantization", op.per_channel);
  if (const auto params = json.find("params")) op.params = read_params(*params);
  if (const auto kernels = json.find("supported_kernels")) {
    op.kernels = read_kernels(*kernels, false);
  }
  if (const auto constraints = json.find("encoding_constraints")) {
    op.constraints = read_constraints(*constraints);
  }
  return op;
}

void read_defaults(const JsonCursor& json, QuantsimConfig& config) {
  expect_keys(json, {"ops", "params", "strict_symmetric", "unsigned_symmetric",
                     "per_channel_quantization", "hw_version", "supported_kernels"});
  const JsonCursor ops = json.at("ops");
  expect_keys(ops, {"is_input_quantized", "is_output_quantized", "is_symmetric"});
  read_flag(ops, "is_input_quantized", config.default_op.is_input_quantized);
  read_flag(ops, "is_output_quantized", config.default_op.is_output_quantized);
  read_flag(ops, "is_symmetric", config.default_op.is_symmetric);
  config.default_param = read_param(json.at("params"));
  read_flag(json, "strict_symmetric", config.strict_symmetric);
  read_flag(json, "unsigned_symmetric", config.unsigned_symmetric);
  read_flag(json, "per_channel_quantization", config.default_op.per_channel);
  if (const auto version = json.find("hw_version")) config.hw_version = version->text();
  if (const auto kernels = json.find("supported_kernels")) {
    config.default_op.kernels = read_kernels(*kernels, true);
  }
}

std::vector<std::string> read_names(const JsonCursor& json) {
  json.expect_array();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < json.size(); ++i) names.push_back(json.at(i).text());
  return names;
}

std::vector<std::vector<std::string>> read_supergroups(const JsonCursor& json) {
  json.expect_array();
  std::vector<std::vector<std::string>> groups;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const JsonCursor group = json.at(i);
    expect_keys(group, {"op_list"});
    const JsonCursor ops = group.at("op_list");
    groups.push_back(read_names(ops));
    if (groups.back().size() < 2) ops.fail("two operations or more");
  }
  return groups;
}

}  // namespace

quant::QuantsimConfig parse_quantsim_config(const std::string& text, const std::string& origin) {
  const Json json = parse_json(text, origin);
  const JsonCursor root(json, origin);
  expect_keys(root, {"defaults", "params", "op_type", "supergroups", "supergroup_pass_list",
                     "model_input", "model_output"});
  QuantsimConfig config;
  config.origin = origin;
  read_defaults(root.at("defaults"), config);
  config.params = read_params(root.at("params"));
  root.at("op_type").each_member(
      [&](const std::string& type, const JsonCursor& op) { config.op_types[type] = read_op(op); });
  config.supergroups = read_supergroups(root.at("supergroups"));
  if (const auto passes = root.find("supergroup_pass_list")) {
    config.supergroup_passes = read_names(*passes);
  }
  const JsonCursor input = root.at("model_input");
  expect_keys(input, {"is_input_quantized"});
  read_flag(input, "is_input_quantized", config.model_input_quantized);
  const JsonCursor output = root.at("model_output");
  expect_keys(output, {"is_output_quantized"});
  read_flag(output, "is_output_quantized", config.model_output_quantized);
  return config;
}

quant::QuantsimConfig read_quantsim_config(const std::filesystem::path& path) {
  return parse_quantsim_config(read_file(path), path.string());
}

}  // namespace hexquant::formats
