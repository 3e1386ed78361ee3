#include "pipeline/optimize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "pipeline/optimize_cost.h"
#include "support/graph_builder.h"
#include "support/temp_folder.h"
#include "target/node_unit.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

using test::GraphBuilder;

/// x [1,4,8,8] -> Conv 1x1 (8 outputs) -> Relu -> y
graph::Graph conv_relu() {
  return GraphBuilder()
      .input("x", {1, 4, 8, 8})
      .constant("w", {8, 4, 1, 1})
      .constant("b", {8})
      .node("Conv", {"x", "w", "b"}, {"c"}, {1, 8, 8, 8})
      .node("Relu", {"c"}, {"y"}, {1, 8, 8, 8})
      .output("y")
      .graph();
}

TEST(OptimizeCost, TrafficByHand) {
  const graph::Graph graph = conv_relu();
  const target::Rules& rules = target::load_target("SM8650").rules;
  // Conv reads 256 + 32 + 8 and writes 512; Relu reads and writes 512.
  EXPECT_EQ(traffic_bytes(graph, nullptr), 256 + 32 + 8 + 512 + 512 + 512);
  EXPECT_EQ(fused_values(graph, rules), std::vector<std::string>{"c"});
  EXPECT_EQ(traffic_bytes(graph, &rules), 256 + 32 + 8 + 512);
}

TEST(OptimizeCost, WhatIsReadTwiceIsNotFused) {
  const graph::Graph graph = GraphBuilder()
                                 .input("x", {1, 4})
                                 .node("Mul", {"x", "x"}, {"m"}, {1, 4})
                                 .node("Relu", {"m"}, {"r"}, {1, 4})
                                 .node("Add", {"m", "r"}, {"y"}, {1, 4})
                                 .output("y")
                                 .graph();
  EXPECT_TRUE(fused_values(graph, target::load_target("SM8650").rules).empty());
}

TEST(OptimizeCost, ModelsAreQuantizedAsTheyStand) {
  const graph::Graph graph = conv_relu();
  EXPECT_FALSE(target::is_quantized(graph));
  const std::vector<runtime::Feeds> feeds = {
      {{"x", Tensor::from<float>({1, 4, 8, 8}, std::vector<float>(256, 0.5F))}}};
  const graph::Graph quantized =
      quantize_as_it_stands(graph, target::load_target("SM8650"), feeds, 1);
  EXPECT_TRUE(target::is_quantized(quantized));
  CostMeter meter(
      target::load_target("SM8650"), false,
      [](const graph::Graph& form) {
        return std::pair{static_cast<double>(form.nodes().size()), std::int64_t{7}};
      },
      1, silent_progress());
  const ModelCost cost = meter.measure(graph, feeds);
  ASSERT_TRUE(cost.predicted_us);
  EXPECT_EQ(*cost.predicted_us, static_cast<double>(quantized.nodes().size()));
  EXPECT_EQ(*cost.predicted_ddr_bytes, 7);
  EXPECT_FALSE(cost.vendor_us);
}

TEST(BorderChanges, FeedsAndOutputsByHand) {
  BorderChanges borders;
  InputChange& change = borders.inputs["x"];
  change.normalization = {{10.0, 20.0}, {2.0, 4.0}};
  change.channel_last = true;
  change.is_levels = true;
  // Channel 0: 2 x + 10; channel 1: 4 x + 20; two places.
  const runtime::Feeds fed =
      borders.feeds({{"x", Tensor::from<float>({1, 2, 1, 2}, std::vector<float>{1, 2, 3, 4})},
                     {"ids", Tensor::from<std::int64_t>({1}, std::vector<std::int64_t>{5})}});
  const Tensor& x = fed.at("x");
  EXPECT_EQ(x.dtype(), DType::kUInt8);
  EXPECT_EQ(x.shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(to_doubles(x), (std::vector<double>{12, 32, 14, 36}));
  EXPECT_EQ(fed.at("ids").size(), 1) << "others are fed as they are";
  EXPECT_THROW((void)borders.feeds(
                   {{"x", Tensor::from<float>({1, 2, 1, 1}, std::vector<float>{0.2F, 0.0F})}}),
               Error);

  borders.outputs["y"] = {true, passes::BorderEncoding{"y", DType::kUInt8, 0.5, 100}};
  const Tensor restored = borders.restored(
      "y", Tensor::from<std::uint8_t>({1, 1, 2, 2}, std::vector<std::uint8_t>{100, 102, 98, 104}));
  EXPECT_EQ(restored.shape(), (Shape{1, 2, 1, 2}));
  EXPECT_EQ(to_doubles(restored), (std::vector<double>{0.0, -1.0, 1.0, 2.0}));
}

TEST(BorderChanges, CodesAreClampedToTheirType) {
  BorderChanges borders;
  borders.inputs["x"].codes = passes::BorderEncoding{"x", DType::kInt8, 0.5, 3};
  const auto fed =
      borders.feeds({{"x", Tensor::from<float>({3}, std::vector<float>{0.25F, -500.0F, 500.0F})}});
  EXPECT_EQ(to_doubles(fed.at("x")), (std::vector<double>{3, -128, 127})) << "0.5 rounds to even";
}

TEST(OptimizeCheck, NanNeverPasses) {
  OptimizeCheck check;
  check.sqnr_db = std::nan("");
  EXPECT_TRUE(check.passed()) << "nothing is demanded";
  check.min_sqnr_db = 60.0;
  EXPECT_FALSE(check.passed());
  check.sqnr_db = 61.0;
  EXPECT_TRUE(check.passed());
  check.min_agreement = 0.995;
  EXPECT_FALSE(check.passed());
  check.agreement = 1.0;
  check.sqnr_db = 50.0;
  EXPECT_FALSE(check.passed());
  check.max_abs = 1e-7;
  check.enough_max_abs = 1e-6;
  EXPECT_TRUE(check.passed()) << "outputs near zero: nothing but rounding";
  check.sqnr_db = std::nan("");
  EXPECT_FALSE(check.passed());
}

class OptimizeModel : public testing::Test {
 protected:
  /// conv_relu with a PRelu in the place of the Relu.
  [[nodiscard]] std::string write_prelu() const {
    const graph::Graph graph = GraphBuilder()
                                   .input("x", {1, 4, 8, 8})
                                   .constant("w", {8, 4, 1, 1})
                                   .constant("slope", {8, 1, 1})
                                   .node("Conv", {"x", "w"}, {"c"}, {1, 8, 8, 8})
                                   .node("PRelu", {"c", "slope"}, {"y"}, {1, 8, 8, 8})
                                   .output("y")
                                   .graph();
    const auto path = folder_.path() / "prelu.onnx";
    formats::write_onnx(graph, path);
    return path.string();
  }
  test::TempFolder folder_;
};

TEST_F(OptimizeModel, AnotherFunctionOnlyOnRequest) {
  OptimizeRequest request;
  request.model = write_prelu();
  const OptimizeResult kept = optimize(request, 1, silent_progress());
  EXPECT_EQ(kept.graph.producer("y")->op_type(), "PRelu");
  EXPECT_TRUE(kept.check.min_sqnr_db);
  request.prelu_to_relu = true;
  const OptimizeResult changed = optimize(request, 1, silent_progress());
  EXPECT_EQ(changed.graph.producer("y")->op_type(), "Relu");
  EXPECT_FALSE(changed.check.min_sqnr_db) << "no demand on a function that was changed";
  EXPECT_LT(changed.check.sqnr_db, 60.0) << "but the difference is told";
}

TEST_F(OptimizeModel, ChannelFormsWaitForAGain) {
  OptimizeRequest request;
  request.model = write_prelu();
  request.pad_channels = true;
  request.space_to_depth = true;
  const OptimizeResult result = optimize(request, 1, silent_progress());
  for (const RewriteResult& row : result.rewrites) {
    EXPECT_NE(row.name, "pad_channels");
    EXPECT_NE(row.name, "space_to_depth_stem");
  }
}

}  // namespace
}  // namespace hexquant::pipeline
