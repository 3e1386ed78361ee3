#include "pipeline/width_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "pipeline/sensitivity.h"
#include "quant/insert_qdq.h"

namespace hexquant::pipeline {
namespace {

using mixed_precision::CandidateKind;
using mixed_precision::kFloatBits;
using mixed_precision::SensitivityTable;
using testing::ElementsAre;

std::string example(const std::string& name) {
  return std::string(HEXQUANT_SOURCE_DIR) + "/examples/digits/" + name;
}

Recipe digits(int weight_bits) {
  Recipe recipe;
  recipe.model = example("model.onnx");
  recipe.data.sources = {example("calibration_images.npy")};
  recipe.data.preprocess = example("preprocess.json");
  recipe.data.samples = 8;
  recipe.weight_bits = weight_bits;
  recipe.weight_bits_everywhere = true;
  recipe.output = ".";
  return recipe;
}

/// Every layer's weights do damage 1, its values damage 2.
SensitivityTable flat_table(const WidthSpace& space, int weight_bits) {
  SensitivityTable table;
  for (const auto& layer : space.sequence().layers) {
    mixed_precision::SensitivityRow row;
    row.name = layer.node;
    row.measured = {{{CandidateKind::kWeights, weight_bits, kFloatBits}, {0, 0, 0, 1.0, 1, 1}},
                    {{CandidateKind::kActivation, kFloatBits, 8}, {0, 0, 0, 2.0, 1, 1}}};
    table.layers.push_back(std::move(row));
  }
  return table;
}

const WidthUnit* unit_named(const std::vector<WidthUnit>& units, const std::string& name) {
  const auto found = std::find_if(units.begin(), units.end(),
                                  [&](const WidthUnit& one) { return one.unit.name == name; });
  return found == units.end() ? nullptr : &*found;
}

TEST(WidthSpace, ValuesAreRaisedWithTheLayersAtBothEnds) {
  const WidthSpace space(digits(8), 1, silent_progress());
  const auto units = space.units(flat_table(space, 8));
  const std::string producer = "/separable1/separable1.1/separable1.1.0/Conv";
  const std::string stem = "/stem/stem.0/Conv";
  // The value is read by the residual block's first convolution and by its Add: two units, which
  // share its damage.
  const std::string convolution = "/residual1/residual1.0/Conv";
  const WidthUnit* for_add = unit_named(units, producer + " a16 for /Add");
  const WidthUnit* for_convolution = unit_named(units, producer + " a16 for " + convolution);
  ASSERT_NE(for_add, nullptr);
  ASSERT_NE(for_convolution, nullptr);
  EXPECT_EQ(for_add->unit.gain, 1.0);
  EXPECT_EQ(for_convolution->unit.gain, 1.0);
  EXPECT_THAT(layer_bits_of(for_add->choice), ElementsAre("/Add=a16", producer + "=a16"));
  EXPECT_THAT(layer_bits_of(for_convolution->choice),
              ElementsAre(convolution + "=a16", producer + "=a16"));
  // Layers in the order of their names, here "/Add" or the convolution, and the producer.
  ASSERT_EQ(for_add->unit.layers.size(), 2U);
  ASSERT_EQ(for_convolution->unit.layers.size(), 2U);
  EXPECT_EQ(for_add->unit.layers[1], for_convolution->unit.layers[1]) << "the producer";
  EXPECT_NE(for_add->unit.layers[0], for_convolution->unit.layers[0]);
  const WidthUnit* single = unit_named(units, stem + " a16");
  ASSERT_NE(single, nullptr) << "one reader";
  EXPECT_EQ(single->unit.gain, 2.0);
  EXPECT_EQ(single->choice.size(), 2U);
  const WidthUnit* weights = unit_named(units, stem + " w16");
  ASSERT_NE(weights, nullptr);
  EXPECT_EQ(weights->unit.gain, 1.0);
  EXPECT_THAT(layer_bits_of(weights->choice), ElementsAre(stem + "=w16a16"));
}

TEST(WidthSpace, PlansWhatWasChosenAndCountsItsConversions) {
  const WidthSpace space(digits(4), 1, silent_progress());
  WidthChoice choice;
  const std::string stem = "/stem/stem.0/Conv";
  choice[stem] = {8, 16};
  const quant::QuantPlan plan = space.plan(choice);
  for (const quant::LayerDecision& layer : plan.layers) {
    if (layer.weight_bits == 0) continue;
    EXPECT_EQ(layer.weight_bits, layer.node == stem ? 8 : 4) << layer.node;
    EXPECT_EQ(layer.act_bits, layer.node == stem ? 16 : 8) << layer.node;
  }
  const WidthCost base = space.cost({});
  const WidthCost raised = space.cost(choice);
  EXPECT_EQ(base.converts, 0);
  EXPECT_EQ(base.raised_weight_share, 0.0);
  EXPECT_EQ(raised.converts, 1) << "its value is read at 8 bits";
  EXPECT_GT(raised.raised_weight_share, 0.0);
  EXPECT_LT(raised.raised_weight_share, 0.2);
  EXPECT_GT(base.time_us, 0.0);
  EXPECT_GT(raised.time_us, base.time_us);
}

TEST(WidthSpace, GivesTheModelThatQuantizeGives) {
  Recipe recipe = digits(8);
  const WidthSpace space(recipe, 1, silent_progress());
  WidthChoice choice;
  choice["/head/Gemm"] = {16, 16};
  recipe.layer_bits = layer_bits_of(choice);
  const QuantizedModel expected = run_stages(recipe, resolve_recipe(recipe, 1),
                                             target::load_target(recipe.soc), 1, silent_progress());
  EXPECT_EQ(formats::serialize_onnx(space.quantized(choice)),
            formats::serialize_onnx(expected.quantized));
}

TEST(WidthSpace, MergesToTheWiderWidth) {
  WidthChoice choice = {{"a", {8, 0}}};
  merge_widths({{"a", {0, 16}}, {"b", {16, 16}}}, choice);
  EXPECT_EQ(choice, (WidthChoice{{"a", {8, 16}}, {"b", {16, 16}}}));
}

}  // namespace
}  // namespace hexquant::pipeline
