#include "formats/quantsim_config/quantsim_config.h"

namespace hexquant::formats {
namespace {

using quant::QuantsimKernel;
using quant::QuantsimOp;
using quant::QuantsimParam;

void put(Json& json, const char* key, const std::optional<bool>& flag) {
  if (flag) json[key] = *flag ? "True" : "False";
}

Json param_json(const QuantsimParam& param) {
  Json json = Json::object();
  put(json, "is_quantized", param.is_quantized);
  put(json, "is_symmetric", param.is_symmetric);
  return json;
}

Json params_json(const std::map<std::string, QuantsimParam>& params) {
  Json json = Json::object();
  for (const auto& [kind, param] : params) json[kind] = param_json(param);
  return json;
}

Json format_json(int bits, bool is_float) {
  return {{"bitwidth", bits}, {"dtype", is_float ? "float" : "int"}};
}

Json kernels_json(const std::vector<QuantsimKernel>& kernels) {
  Json list = Json::array();
  for (const QuantsimKernel& kernel : kernels) {
    Json entry;
    entry["activation"] = format_json(kernel.act_bits, kernel.act_float);
    if (kernel.param_bits != 0) {
      entry["param"] = format_json(kernel.param_bits, kernel.param_float);
    }
    list.push_back(std::move(entry));
  }
  return list;
}

Json op_flags(const QuantsimOp& op) {
  Json json = Json::object();
  put(json, "is_input_quantized", op.is_input_quantized);
  put(json, "is_output_quantized", op.is_output_quantized);
  put(json, "is_symmetric", op.is_symmetric);
  return json;
}

Json op_json(const QuantsimOp& op) {
  Json json = op_flags(op);
  put(json, "per_channel_quantization", op.per_channel);
  if (!op.params.empty()) json["params"] = params_json(op.params);
  if (op.constraints) {
    json["encoding_constraints"]["min"] = op.constraints->min;
    if (op.constraints->max) json["encoding_constraints"]["max"] = *op.constraints->max;
  }
  if (!op.kernels.empty()) json["supported_kernels"] = kernels_json(op.kernels);
  return json;
}

Json defaults_json(const quant::QuantsimConfig& config) {
  Json json;
  if (!config.hw_version.empty()) json["hw_version"] = config.hw_version;
  json["ops"] = op_flags(config.default_op);
  json["params"] = param_json(config.default_param);
  put(json, "per_channel_quantization", config.default_op.per_channel);
  put(json, "strict_symmetric", config.strict_symmetric);
  put(json, "unsigned_symmetric", config.unsigned_symmetric);
  if (!config.default_op.kernels.empty()) {
    json["supported_kernels"] = kernels_json(config.default_op.kernels);
  }
  return json;
}

}  // namespace

Json quantsim_config_json(const quant::QuantsimConfig& config) {
  Json json;
  json["defaults"] = defaults_json(config);
  json["params"] = params_json(config.params);
  json["op_type"] = Json::object();
  for (const auto& [type, op] : config.op_types) json["op_type"][type] = op_json(op);
  if (config.supergroup_passes) json["supergroup_pass_list"] = *config.supergroup_passes;
  json["supergroups"] = Json::array();
  for (const auto& ops : config.supergroups) json["supergroups"].push_back({{"op_list", ops}});
  json["model_input"] = Json::object();
  put(json["model_input"], "is_input_quantized", config.model_input_quantized);
  json["model_output"] = Json::object();
  put(json["model_output"], "is_output_quantized", config.model_output_quantized);
  return json;
}

}  // namespace hexquant::formats
