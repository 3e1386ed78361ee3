#include "plan/layer_bits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hexquant/error.h"
#include "support/graph_builder.h"
#include "target/target.h"

namespace hexquant::plan {
namespace {

using quant::LayerDecision;
using quant::QuantPlan;
using test::GraphBuilder;
using ::testing::HasSubstr;

void expect_parsed(const std::string& text, const std::string& pattern, int weight, int act) {
  const LayerBits layer = parse_layer_bits(text);
  EXPECT_EQ(layer.pattern, pattern) << text;
  EXPECT_EQ(layer.weight_bits, weight) << text;
  EXPECT_EQ(layer.act_bits, act) << text;
}

TEST(ParseLayerBits, ReadsEveryForm) {
  expect_parsed("*head*=8", "*head*", 8, 0);
  expect_parsed("op:Gather=16", "op:Gather", 16, 0);
  expect_parsed("conv1=w4", "conv1", 4, 0);
  expect_parsed("conv1=a16", "conv1", 0, 16);
  expect_parsed("conv1=w8a16", "conv1", 8, 16);
  expect_parsed("conv1=16a8", "conv1", 16, 8);
  expect_parsed("a=b=4", "a=b", 4, 0);
}

TEST(ParseLayerBits, RefusesEverythingElse) {
  for (const char* text : {"", "8", "=8", "conv1", "conv1=", "conv1=7", "conv1=88", "conv1=w",
                           "conv1=a4", "conv1=w8a", "conv1=8x", "conv1=a8w8"}) {
    EXPECT_THROW((void)parse_layer_bits(text), Error) << text;
  }
  try {
    (void)parse_layer_bits("conv1=7");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("--layer-bits 'conv1=7': expected PATTERN=BITS"));
  }
}

/// Table -> Gather -> MatMul `body` -> MatMul `head`, as a language model.
QuantPlan language_model(const PlanOptions& options) {
  GraphBuilder b;
  b.input("ids", {1, 4}, DType::kInt64).constant("table", {50, 64});
  b.constant("w", {64, 64}).constant("v", {64, 50});
  b.node("Gather", {"table", "ids"}, {"rows"}, {1, 4, 64})
      .node("MatMul", {"rows", "w"}, {"body"}, {1, 4, 64})
      .node("MatMul", {"body", "v"}, {"head"}, {1, 4, 50})
      .output("head");
  return make_plan(b.graph(), target::load_target("SM8650"), options);
}

PlanOptions four_bit_groups() {
  PlanOptions options;
  options.weight_bits = 4;
  options.act_bits = 16;
  options.granularity = Granularity::kGroup;
  options.group_size = 32;
  return options;
}

const LayerDecision& row(const QuantPlan& plan, const std::string& node) {
  for (const LayerDecision& layer : plan.layers) {
    if (layer.node == node) return layer;
  }
  throw std::out_of_range(node);
}

// The article's override example as one plan: the rest in 4-bit groups, head and embedding in int8.
TEST(LayerBits, HeadAndEmbeddingKeepEightBits) {
  PlanOptions options = four_bit_groups();
  options.layer_bits = {parse_layer_bits("op:Gather=8"), parse_layer_bits("head=8")};
  const QuantPlan plan = language_model(options);
  EXPECT_EQ(plan.tensors.at("w").type, DType::kInt4);
  EXPECT_EQ(plan.tensors.at("w").granularity, Granularity::kGroup);
  EXPECT_EQ(plan.tensors.at("v").type, DType::kInt8);
  EXPECT_EQ(plan.tensors.at("v").granularity, Granularity::kGroup);
  EXPECT_EQ(row(plan, "head").requested_weight_bits, 8);
  EXPECT_EQ(row(plan, "head").reason, "");

  EXPECT_EQ(plan.tensors.at("table").type, DType::kUInt8);
  EXPECT_EQ(plan.tensors.at("rows").type, DType::kUInt8);
  EXPECT_EQ(plan.tensors.at("rows").shares_encoding_of, "table");
  ASSERT_TRUE(plan.edges.contains({"body", 0}));
  EXPECT_EQ(plan.edges.at({"body", 0}).type, DType::kUInt16);
  EXPECT_EQ(row(plan, "rows").weight_bits, 8);
  EXPECT_THAT(row(plan, "rows").reason, HasSubstr("asked 16-bit activations, got 8"));
  for (const Finding& finding : plan.findings) EXPECT_NE(finding.id, "htp-illegal");
}

TEST(LayerBits, TablesOtherwiseShareTheActivationsEncoding) {
  const QuantPlan plan = language_model(four_bit_groups());
  EXPECT_EQ(plan.tensors.at("table").type, DType::kUInt16);
  EXPECT_TRUE(plan.edges.empty());
  EXPECT_EQ(row(plan, "rows").weight_bits, 16);
  EXPECT_EQ(row(plan, "rows").reason,
            "asked int4, got 16 bits: table and gathered rows share the activations' encoding");
}

TEST(LayerBits, ATableHasEightBitsAtLeast) {
  PlanOptions options = four_bit_groups();
  options.layer_bits = {{"op:Gather", 4, 0}};
  const QuantPlan plan = language_model(options);
  EXPECT_EQ(plan.tensors.at("table").type, DType::kUInt8);
  EXPECT_THAT(row(plan, "rows").reason, HasSubstr("asked int4, got 8 bits"));
}

TEST(LayerBits, LaterEntriesWinAndWidthsAreIndependent) {
  PlanOptions options;
  options.layer_bits = {{"op:MatMul", 4, 16}, {"head", 8, 0}};
  const QuantPlan plan = language_model(options);
  EXPECT_EQ(plan.tensors.at("w").type, DType::kInt4);
  EXPECT_EQ(plan.tensors.at("v").type, DType::kInt8);
  EXPECT_EQ(plan.tensors.at("head").type, DType::kUInt16);
  EXPECT_EQ(row(plan, "head").act_bits, 16);
}

}  // namespace
}  // namespace hexquant::plan
