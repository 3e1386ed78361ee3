#include "pipeline/convert_recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "hexquant/error.h"

namespace hexquant::pipeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Words = std::vector<std::string>;

ConvertRecipe recipe_of(std::vector<Words> lines, bool with_list = true) {
  if (with_list) lines.push_back({"--input_list", "list.txt"});
  lines.push_back({"--input_network", "net.onnx"});
  GivenOptions given;
  for (const Words& line : lines) {
    given[line.front()].emplace_back(line.begin() + 1, line.end());
  }
  return convert_recipe(ConvertArguments(given), {});
}

bool has(const ConvertRecipe& recipe, const std::string& id, const std::string& where = "") {
  return std::any_of(recipe.findings.begin(), recipe.findings.end(), [&](const Finding& finding) {
    return finding.id == id && (where.empty() || finding.where == where);
  });
}

TEST(ConvertRecipeTest, defaults_are_the_converters_and_not_those_of_quantize) {
  const ConvertRecipe made = recipe_of({});
  const Recipe ours;
  EXPECT_TRUE(made.quantize);
  EXPECT_EQ(made.recipe.model, "net.onnx");
  EXPECT_THAT(made.recipe.data.sources, ElementsAre("list.txt"));
  EXPECT_EQ(made.recipe.bias_bits, 8);
  EXPECT_EQ(ours.bias_bits, 32);
  EXPECT_EQ(made.recipe.granularity, "tensor");
  EXPECT_EQ(ours.granularity, "channel");
  EXPECT_EQ(made.recipe.weight_schema, "asymmetric");
  EXPECT_EQ(ours.weight_schema, "symmetric");
  EXPECT_EQ(made.recipe.observer, "min-max");
  EXPECT_EQ(ours.observer, "mse");
  EXPECT_EQ(made.recipe.data.samples, 0);  // all
  EXPECT_FALSE(made.config.has_value());
  EXPECT_TRUE(has(made, "eight-bit-biases"));
  EXPECT_TRUE(has(made, "one-scale-for-weights"));
}

TEST(ConvertRecipeTest, advice_goes_once_it_is_followed) {
  const ConvertRecipe made = recipe_of({{"--bias_bitwidth", "32"},
                                        {"--use_per_channel_quantization"},
                                        {"--use_per_row_quantization"},
                                        {"--param_quantizer_schema", "symmetric"}});
  EXPECT_THAT(made.findings, IsEmpty());
  EXPECT_EQ(made.recipe.granularity, "channel");
  EXPECT_EQ(made.recipe.weight_schema, "symmetric");
}

TEST(ConvertRecipeTest, every_value_has_its_place) {
  for (const char* name : {"min-max", "sqnr", "entropy", "mse", "percentile"}) {
    EXPECT_EQ(recipe_of({{"--act_quantizer_calibration", name}}).recipe.observer, name);
    const auto algorithms = recipe_of({{"--param_quantizer_calibration", name}}).recipe.algorithms;
    EXPECT_EQ(algorithms.empty(), std::string(name) == "min-max") << name;
  }
  EXPECT_EQ(recipe_of({{"--act_quantizer", "enhanced"}}).recipe.observer, "sqnr");
  EXPECT_EQ(recipe_of({{"--act_quantizer", "tf"}}).recipe.observer, "min-max");
  EXPECT_TRUE(has(recipe_of({{"--act_quantizer", "adjusted"}}), "deprecated-option"));
  EXPECT_EQ(recipe_of({{"--act_bitwidth", "16"}}).recipe.act_bits, 16);
  EXPECT_EQ(recipe_of({{"--bias_bitwidth", "32"}}).recipe.bias_bits, 32);
  EXPECT_EQ(recipe_of({{"--weights_bitwidth", "16"}}).recipe.weight_bits, 16);
  EXPECT_EQ(recipe_of({{"--weights_bitwidth", "16"}}).recipe.weight_schema, "symmetric");
  EXPECT_EQ(recipe_of({{"--weights_bitwidth", "4"}}).recipe.weight_bits, 4);
  EXPECT_TRUE(recipe_of({{"--weights_bitwidth", "4"}}).recipe.weight_bits_everywhere);
  EXPECT_TRUE(recipe_of({{"--use_native_input_files"}}).recipe.data.native_input_files);
  EXPECT_EQ(recipe_of({{"--quantization_overrides", "o.json"}}).recipe.overrides, "o.json");
  EXPECT_DOUBLE_EQ(recipe_of({{"--act_quantizer_calibration", "percentile"},
                              {"--percentile_calibration_value", "97.5"}})
                       .recipe.percentile,
                   97.5);
  for (const char* bits : {"16", "32"}) {
    EXPECT_TRUE(has(recipe_of({{"--float_bitwidth", bits}}), "float-width", "--float_bitwidth"));
  }
}

TEST(ConvertRecipeTest, two_bit_weights_are_refused_by_name) {
  try {
    recipe_of({{"--weights_bitwidth", "2"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(error.what(), testing::HasSubstr("--weights_bitwidth 2"));
  }
}

TEST(ConvertRecipeTest, algorithms_beyond_cle_are_named) {
  const ConvertRecipe made = recipe_of({{"--algorithms", "cle", "adaround"}});
  EXPECT_THAT(made.recipe.algorithms, ElementsAre("cle", "adaround"));
  EXPECT_TRUE(has(made, "not-in-the-sdk", "--algorithms"));
  EXPECT_FALSE(has(recipe_of({{"--algorithms", "cle"}}), "not-in-the-sdk"));
}

TEST(ConvertRecipeTest, symmetric_activations_need_a_configuration) {
  const auto symmetric = recipe_of({{"--act_quantizer_schema", "symmetric"}}).config;
  ASSERT_TRUE(symmetric.has_value());
  EXPECT_EQ(symmetric->default_op.is_symmetric, true);
  EXPECT_EQ(symmetric->unsigned_symmetric, false);
  EXPECT_EQ(symmetric->default_param.is_symmetric, false);
  const auto positive = recipe_of({{"--act_quantizer_schema", "unsignedsymmetric"},
                                   {"--param_quantizer_schema", "symmetric"}})
                            .config;
  ASSERT_TRUE(positive.has_value());
  EXPECT_EQ(positive->unsigned_symmetric, true);
  EXPECT_EQ(positive->default_param.is_symmetric, true);
  EXPECT_EQ(recipe_of({{"--act_quantizer", "symmetric"}}).config->default_op.is_symmetric, true);
  const ConvertRecipe shifted = recipe_of({{"--act_quantizer_schema", "signedasymmetric"}});
  EXPECT_FALSE(shifted.config.has_value());
  EXPECT_TRUE(has(shifted, "signed-codes"));
}

TEST(ConvertRecipeTest, channels_and_rows_are_chosen_apart) {
  const auto channels = recipe_of({{"--use_per_channel_quantization"}});
  EXPECT_EQ(channels.recipe.granularity, "channel");
  ASSERT_TRUE(channels.config.has_value());
  EXPECT_EQ(channels.config->op_types.at("Conv").per_channel, true);
  EXPECT_EQ(channels.config->op_types.at("MatMul").per_channel, false);
  EXPECT_EQ(channels.config->op_types.at("Gemm").per_channel, false);
  const auto rows = recipe_of({{"--use_per_row_quantization"}});
  ASSERT_TRUE(rows.config.has_value());
  EXPECT_EQ(rows.config->op_types.at("Conv").per_channel, false);
  EXPECT_EQ(rows.config->op_types.at("Gemm").per_channel, true);
}

TEST(ConvertRecipeTest, relu_stands_alone_when_asked) {
  const auto config = recipe_of({{"--disable_relu_squashing"}}).config;
  ASSERT_TRUE(config.has_value());
  for (const auto& group : config->supergroups) {
    EXPECT_NE(group.back(), "Relu");
    EXPECT_NE(group.back(), "Clip");
  }
}

TEST(ConvertRecipeTest, steps_choose_the_grid_or_are_reported) {
  const auto with_steps = [](const std::string& steps, const std::string& bits) {
    return recipe_of({{"--restrict_quantization_steps", steps},
                      {"--param_quantizer_schema", "symmetric"},
                      {"--weights_bitwidth", bits}});
  };
  EXPECT_EQ(with_steps("-0x80 0x7F", "8").recipe.weight_schema, "symmetric");
  EXPECT_EQ(with_steps("-0x7F 0x7F", "8").recipe.weight_schema, "strict");
  EXPECT_EQ(with_steps("-0x7 0x7", "4").recipe.weight_schema, "strict");
  EXPECT_FALSE(has(with_steps("-0x80 0x7F", "8"), "option-without-effect"));
  EXPECT_FALSE(has(with_steps("-0x8000 0x7F7F", "16"), "option-without-effect"));
  EXPECT_TRUE(has(with_steps("-0x8000 0x7FFF", "16"), "option-without-effect"));
  EXPECT_TRUE(has(with_steps("-0x40 0x3F", "8"), "option-without-effect"));
}

TEST(ConvertRecipeTest, without_a_list_nothing_is_quantized_and_the_options_are_named) {
  const ConvertRecipe made =
      recipe_of({{"--act_bitwidth", "16"}, {"--algorithms", "cle"}, {"--batch", "2"}}, false);
  EXPECT_FALSE(made.quantize);
  ASSERT_EQ(made.findings.size(), 1U);
  EXPECT_EQ(made.findings[0].id, "not-quantized");
  EXPECT_THAT(made.findings[0].reason, testing::HasSubstr("--algorithms, --act_bitwidth"));
  EXPECT_THAT(made.findings[0].reason, testing::Not(testing::HasSubstr("--batch")));
  EXPECT_TRUE(has(recipe_of({{"--float_fallback"}}, false), "float-fallback"));
}

TEST(ConvertRecipeTest, colours_and_data_types_of_inputs_are_answered) {
  EXPECT_TRUE(has(recipe_of({{"--input_encoding", "image", "rgb"}}), "option-without-effect"));
  EXPECT_FALSE(has(recipe_of({{"--input_encoding", "image", "other"}}), "option-without-effect"));
  EXPECT_TRUE(has(recipe_of({{"--preserve_io", "datatype"}}), "io-datatype-kept"));
  EXPECT_TRUE(has(recipe_of({{"--preserve_io"}}), "io-datatype-kept"));
  EXPECT_FALSE(has(recipe_of({{"--preserve_io", "layout"}}), "io-datatype-kept"));
}

}  // namespace
}  // namespace hexquant::pipeline
