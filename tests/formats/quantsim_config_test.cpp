#include "formats/quantsim_config/quantsim_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "core/file_io.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

using quant::QuantsimConfig;
using quant::QuantsimKernel;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Every key of the schema once.
constexpr const char* kWhole = R"({
  "defaults": {
    "hw_version": "V75",
    "ops": {"is_input_quantized": "False", "is_output_quantized": "True", "is_symmetric": "False"},
    "params": {"is_quantized": "True", "is_symmetric": "True"},
    "per_channel_quantization": "False", "strict_symmetric": "True", "unsigned_symmetric": "False",
    "supported_kernels": [{"activation": {"bitwidth": 16, "dtype": "int"},
                           "param": {"bitwidth": 8, "dtype": "int"}}]},
  "params": {"bias": {"is_quantized": "False"}},
  "op_type": {
    "Conv": {"is_input_quantized": "True", "is_output_quantized": "False",
             "is_symmetric": "True", "per_channel_quantization": "True",
             "params": {"weight": {"is_symmetric": "False"}},
             "supported_kernels": [{"activation": {"bitwidth": 16, "dtype": "float"}}]},
    "Relu": {"encoding_constraints": {"min": 0.0}},
    "Tanh": {"encoding_constraints": {"min": -1.0, "max": 1.0}}},
  "supergroup_pass_list": ["MatmulAdd"],
  "supergroups": [{"op_list": ["Conv", "Relu"]}],
  "model_input": {"is_input_quantized": "True"},
  "model_output": {"is_output_quantized": "False"}})";

std::string without(const std::string& text) {
  std::string result = kWhole;
  result.replace(result.find(text), text.size(), "");
  return result;
}

std::string replaced(const std::string& text, const std::string& by) {
  std::string result = kWhole;
  const auto at = result.find(text);
  EXPECT_NE(at, std::string::npos) << text;
  return result.replace(at, text.size(), by);
}

std::string error_of(const std::string& text) {
  try {
    (void)parse_quantsim_config(text, "c.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    return error.what();
  }
  return "";
}

TEST(QuantsimConfigFile, ReadsEveryKey) {
  const QuantsimConfig config = parse_quantsim_config(kWhole, "c.json");
  EXPECT_EQ(config.hw_version, "V75");
  EXPECT_EQ(config.default_op.is_input_quantized, false);
  EXPECT_EQ(config.default_op.is_output_quantized, true);
  EXPECT_EQ(config.default_op.is_symmetric, false);
  EXPECT_EQ(config.default_op.per_channel, false);
  EXPECT_THAT(config.default_op.kernels, ElementsAre(QuantsimKernel{16, false, 8, false}));
  EXPECT_EQ(config.default_param, (quant::QuantsimParam{true, true}));
  EXPECT_EQ(config.strict_symmetric, true);
  EXPECT_EQ(config.unsigned_symmetric, false);
  EXPECT_EQ(config.params.at("bias").is_quantized, false);
  const quant::QuantsimOp& conv = config.op_types.at("Conv");
  EXPECT_EQ(conv.per_channel, true);
  EXPECT_EQ(conv.is_symmetric, true);
  EXPECT_EQ(conv.is_input_quantized, true);
  EXPECT_EQ(conv.is_output_quantized, false);
  EXPECT_EQ(conv.params.at("weight").is_symmetric, false);
  EXPECT_THAT(conv.kernels, ElementsAre(QuantsimKernel{16, true, 0, false}));
  EXPECT_EQ(config.op_types.at("Relu").constraints->max, std::nullopt);
  EXPECT_EQ(config.op_types.at("Tanh").constraints->min, -1.0);
  EXPECT_EQ(config.op_types.at("Tanh").constraints->max, 1.0);
  EXPECT_THAT(config.supergroups, ElementsAre(ElementsAre("Conv", "Relu")));
  EXPECT_THAT(*config.supergroup_passes, ElementsAre("MatmulAdd"));
  EXPECT_EQ(config.model_input_quantized, true);
  EXPECT_EQ(config.model_output_quantized, false);
}

TEST(QuantsimConfigFile, WritingIsTheInverseOfReading) {
  const Json json = quantsim_config_json(parse_quantsim_config(kWhole, "c.json"));
  EXPECT_EQ(to_text(json), to_text(parse_json(kWhole, "c.json")));
}

TEST(QuantsimConfigFile, SixSectionsAreRequired) {
  EXPECT_THAT(error_of(without(R"("params": {"bias": {"is_quantized": "False"}},)")),
              HasSubstr("params"));
  EXPECT_THAT(error_of(without(R"("supergroups": [{"op_list": ["Conv", "Relu"]}],)")),
              HasSubstr("supergroups"));
  EXPECT_THAT(error_of(without(R"("model_input": {"is_input_quantized": "True"},)")),
              HasSubstr("model_input"));
  EXPECT_THAT(error_of(without(R"(,
  "model_output": {"is_output_quantized": "False"})")),
              HasSubstr("model_output"));
  EXPECT_EQ(error_of(without(R"("supergroup_pass_list": ["MatmulAdd"],)")), "");
}

TEST(QuantsimConfigFile, RefusesWithThePlaceAndWhatWasExpected) {
  EXPECT_THAT(error_of("{\n\n  \"defaults\": }"), HasSubstr("c.json:3:"));
  EXPECT_THAT(error_of(replaced(R"("strict_symmetric": "True")", R"("strict_symmetric": "Yes")")),
              HasSubstr("defaults.strict_symmetric: expected"));
  EXPECT_THAT(error_of(replaced(R"("bitwidth": 16)", R"("bitwidth": 7)")),
              HasSubstr("defaults.supported_kernels[0].activation.bitwidth: expected 4, 8, 16"));
  EXPECT_THAT(error_of(replaced(R"("min": 0.0)", R"("min": 0.5)")),
              HasSubstr("op_type.Relu.encoding_constraints: expected min < max with 0 between"));
  EXPECT_THAT(error_of(replaced(R"(["Conv", "Relu"])", R"(["Conv"])")),
              HasSubstr("supergroups[0].op_list: expected two operations"));
  EXPECT_THAT(error_of(replaced("is_output_quantized", "is_quantised")),
              HasSubstr("defaults.ops.is_quantised: expected one of the keys"));
}

// The built-in rules of a chip. After an intended change: HEXQUANT_UPDATE_GOLDEN=1 formats_test.
TEST(QuantsimConfigFile, BuiltInRulesAreUnchanged) {
  Findings findings;
  const std::string text =
      to_text(quantsim_config_json(config_of_target(target::load_target("SM8650"), findings)));
  const auto path = std::filesystem::path(HEXQUANT_SOURCE_DIR) / "tests" / "formats" / "overrides" /
                    "rules_v75.json";
  if (std::getenv("HEXQUANT_UPDATE_GOLDEN") != nullptr) write_file(path, text);
  EXPECT_EQ(text, read_file(path));
  EXPECT_FALSE(findings.empty()) << "conditions that the form cannot express";
  const QuantsimConfig config = parse_quantsim_config(text, "rules");
  EXPECT_EQ(config.op_types.at("Softmax").constraints, (quant::QuantsimConstraints{0.0, 1.0}));
  EXPECT_EQ(config.op_types.at("Conv").per_channel, true);
  EXPECT_TRUE(config.op_types.at("Erf").kernels.front().act_float);
}

}  // namespace
}  // namespace hexquant::formats
