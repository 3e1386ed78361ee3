#include "pipeline/recipe_json.h"

#include <gtest/gtest.h>

#include "hexquant/error.h"
#include "pipeline/quantize_options.h"

namespace hexquant::pipeline {
namespace {

Recipe group_recipe() {
  Recipe recipe;
  recipe.model = "model.onnx";
  recipe.output = "out";
  recipe.data.sources = {"data.npy"};
  recipe.granularity = "group:32";
  recipe.block_scale = "lpbq";
  recipe.group_format = "matmulnbits";
  recipe.layer_bits = {"*head*=8", "op:Gather=w8a16"};
  return recipe;
}

TEST(RecipeJson, GroupOptionsSurviveTheFile) {
  const Recipe recipe = group_recipe();
  Recipe read;
  recipe_from_json(recipe_to_json(recipe), "recipe.json", read);
  EXPECT_EQ(read.block_scale, "lpbq");
  EXPECT_EQ(read.group_format, "matmulnbits");
  EXPECT_EQ(read.layer_bits, recipe.layer_bits);
  EXPECT_EQ(recipe_to_json(read), recipe_to_json(recipe));
}

TEST(RecipeJson, OverridesAndConfigurationSurviveTheFile) {
  Recipe recipe = group_recipe();
  recipe.overrides = "o.json";
  recipe.allow_unmatched_overrides = true;
  recipe.config = "c.json";
  Recipe read;
  recipe_from_json(recipe_to_json(recipe), "recipe.json", read);
  EXPECT_EQ(read.overrides, "o.json");
  EXPECT_TRUE(read.allow_unmatched_overrides);
  EXPECT_EQ(read.config, "c.json");
}

TEST(RecipeJson, FilesWithoutThemKeepTheDefaults) {
  Json json = recipe_to_json(group_recipe());
  json.erase("block_scale");
  json.erase("group_format");
  json.erase("layer_bits");
  Recipe read;
  recipe_from_json(json, "recipe.json", read);
  EXPECT_EQ(read.block_scale, "float");
  EXPECT_EQ(read.group_format, "qdq");
  EXPECT_TRUE(read.layer_bits.empty());
}

TEST(ResolveRecipe, GroupOptionsBecomeThePlans) {
  const QuantizeOptions options = resolve_recipe(group_recipe(), 1);
  EXPECT_EQ(options.plan.block_scale_bits, 4);
  EXPECT_TRUE(options.matmul_nbits);
  ASSERT_EQ(options.plan.layer_bits.size(), 2U);
  EXPECT_EQ(options.plan.layer_bits[1].pattern, "op:Gather");
  EXPECT_EQ(options.plan.layer_bits[1].act_bits, 16);
}

TEST(ResolveRecipe, RefusesGroupOptionsThatDoNotFit) {
  const auto refuses = [](auto change) {
    Recipe recipe = group_recipe();
    change(recipe);
    EXPECT_THROW((void)resolve_recipe(recipe, 1), Error);
  };
  refuses([](Recipe& recipe) { recipe.granularity = "channel"; });
  refuses([](Recipe& recipe) { recipe.granularity = "group:24"; });
  refuses([](Recipe& recipe) { recipe.block_scale = "double"; });
  refuses([](Recipe& recipe) { recipe.group_format = "gguf"; });
  refuses([](Recipe& recipe) { recipe.layer_bits = {"head"}; });
}

}  // namespace
}  // namespace hexquant::pipeline
