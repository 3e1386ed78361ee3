#include "plan/narrow_codes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hexquant::plan {
namespace {

using quant::Role;
using quant::TensorPolicy;

/// x -> Relu -> a -> Relu -> b -> Softmax -> p -> Relu -> y
graph::Graph chain() {
  graph::Graph graph;
  graph.opsets[""] = 17;
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {4, ""}}});
  const std::vector<std::vector<std::string>> steps = {
      {"Relu", "x", "a"}, {"Relu", "a", "b"}, {"Softmax", "b", "p"}, {"Relu", "p", "y"}};
  for (const auto& step : steps) {
    graph.add_node({.op_type = step[0], .inputs = {step[1]}, .outputs = {step[2]}});
  }
  graph.add_output("y");
  return graph;
}

quant::QuantPlan plan_of_chain() {
  quant::QuantPlan plan;
  for (const char* name : {"x", "a", "b", "p", "y"}) plan.tensors[name] = TensorPolicy{};
  plan.tensors["p"].fixed_range = Range{0.0F, 1.0F};
  plan.tensors["w"].role = Role::kWeight;
  plan.tensors["w"].type = DType::kInt4;
  quant::LayerDecision layer;
  layer.op = "Relu";
  layer.requested_weight_bits = layer.weight_bits = 4;
  layer.requested_act_bits = layer.act_bits = 8;
  layer.output = "a";
  plan.layers.push_back(layer);
  return plan;
}

TEST(NarrowCodes, NarrowsWhatNodesComputeInside) {
  quant::QuantPlan plan = plan_of_chain();
  narrow_codes(chain(), {.act_bits = 4, .weight_bits = 4}, plan);
  EXPECT_EQ(plan.tensors["a"].type, DType::kUInt4);
  EXPECT_EQ(plan.tensors["b"].type, DType::kUInt4);
  EXPECT_EQ(plan.tensors["x"].type, DType::kUInt8) << "a model input";
  EXPECT_EQ(plan.tensors["y"].type, DType::kUInt8) << "a model output";
  EXPECT_EQ(plan.tensors["p"].type, DType::kUInt8) << "a fixed range";
  EXPECT_EQ(plan.tensors["w"].type, DType::kInt4);
  EXPECT_EQ(plan.layers[0].act_bits, 4);
  EXPECT_EQ(plan.layers[0].weight_bits, 4);
  ASSERT_EQ(plan.findings.size(), 1U);
  EXPECT_EQ(plan.findings[0].id, "cannot-run-on-htp");
}

TEST(NarrowCodes, SharedEncodingsStayShared) {
  quant::QuantPlan plan = plan_of_chain();
  plan.tensors["b"].shares_encoding_of = "a";
  plan.tensors["y"].shares_encoding_of = "a";  // an output, so none of them
  narrow_codes(chain(), {.act_bits = 4, .weight_bits = 4}, plan);
  EXPECT_EQ(plan.tensors["a"].type, DType::kUInt8);
  EXPECT_EQ(plan.tensors["b"].type, DType::kUInt8);
}

TEST(NarrowCodes, TwoBitWeightsStayInt4) {
  quant::QuantPlan plan = plan_of_chain();
  narrow_codes(chain(), {.act_bits = 8, .weight_bits = 2}, plan);
  EXPECT_EQ(plan.tensors["w"].type, DType::kInt4);
  EXPECT_EQ(plan.layers[0].weight_bits, 2);
  EXPECT_EQ(plan.layers[0].act_bits, 8);
}

TEST(NarrowCodes, DeviceWidthsChangeNothing) {
  quant::QuantPlan plan = plan_of_chain();
  narrow_codes(chain(), {}, plan);
  EXPECT_TRUE(plan.findings.empty());
  EXPECT_EQ(plan.tensors["a"].type, DType::kUInt8);
}

}  // namespace
}  // namespace hexquant::plan
