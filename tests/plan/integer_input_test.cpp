#include <gtest/gtest.h>

#include "plan/plan.h"
#include "quant/insert_qdq.h"
#include "support/graph_builder.h"
#include "target/target.h"

namespace hexquant::plan {
namespace {

using quant::QuantPlan;
using test::GraphBuilder;

/// q (uint8) -> DequantizeLinear(0.5, 3) -> [Transpose ->] Conv -> y
GraphBuilder levels(bool transpose, const std::string& float_reader = "") {
  GraphBuilder builder;
  builder.input("q", {1, 4, 4, 4}, DType::kUInt8).scalar("s", 0.5F).constant("w", {8, 4, 1, 1});
  builder.node("DequantizeLinear", {"q", "s", "z"}, {"x"}, {1, 4, 4, 4});
  std::string image = "x";
  if (transpose) {
    image = "t";
    builder.node("Transpose", {"x"}, {"t"}, {1, 4, 4, 4},
                 {{"perm", std::vector<std::int64_t>{0, 3, 1, 2}}});
  }
  builder.node("Conv", {image, "w"}, {"y"}, {1, 8, 4, 4}).output("y");
  if (!float_reader.empty()) {
    builder.node(float_reader, {"x"}, {"f"}, {1, 4, 4, 4}).output("f");
  }
  return builder;
}

graph::Graph with_zero_point(const GraphBuilder& builder) {
  graph::Graph graph = builder.graph();
  graph.add_initializer("z", Tensor::scalar(std::uint8_t{3}));
  return graph;
}

QuantPlan plan_of(const graph::Graph& graph, const PlanOptions& options = {}) {
  return make_plan(graph, target::load_target("SM8650"), options);
}

/// Any encoding for what the plan leaves open.
quant::EncodingTable encodings_of(const QuantPlan& plan) {
  quant::EncodingTable table;
  const auto filled = [](const quant::TensorPolicy& policy) {
    if (policy.fixed_encoding) return *policy.fixed_encoding;
    Encoding encoding = quant::empty_encoding(policy);
    const std::size_t count = policy.granularity == Granularity::kTensor ? 1 : 8;
    encoding.scale.assign(count, 0.01F);
    encoding.zero_point.assign(count, 0);
    return encoding;
  };
  for (const auto& [name, policy] : plan.tensors) table.tensors[name] = filled(policy);
  for (const auto& [edge, policy] : plan.edges) table.edges[edge] = filled(policy);
  return table;
}

TEST(IntegerInput, KeepsTheEncodingThatTheApplicationFeeds) {
  for (const bool transpose : {false, true}) {
    const graph::Graph graph = with_zero_point(levels(transpose));
    const QuantPlan plan = plan_of(graph);
    EXPECT_TRUE(plan.findings.empty());
    for (const std::string& value :
         transpose ? std::vector<std::string>{"x", "t"} : std::vector<std::string>{"x"}) {
      const auto& encoding = plan.tensors.at(value).fixed_encoding;
      ASSERT_TRUE(encoding) << value;
      EXPECT_EQ(encoding->type, DType::kUInt8);
      EXPECT_EQ(encoding->scale, std::vector<float>{0.5F});
      EXPECT_EQ(encoding->zero_point, std::vector<std::int32_t>{3});
    }
    const graph::Graph quantized = quant::insert_qdq(graph, encodings_of(plan));
    for (const graph::Use& use : quantized.uses("x")) {
      EXPECT_NE(use.node->op_type(), "QuantizeLinear") << "its codes are there already";
    }
    EXPECT_EQ(quantized.uses("q").size(), 1U);
  }
}

TEST(IntegerInput, SixteenBitReadersConvertIt) {
  PlanOptions options;
  options.act_bits = 16;
  const graph::Graph graph = with_zero_point(levels(false));
  const QuantPlan plan = plan_of(graph, options);
  EXPECT_EQ(plan.tensors.at("x").type, DType::kUInt8);
  ASSERT_EQ(plan.edges.size(), 1U);
  EXPECT_EQ(plan.edges.begin()->second.type, DType::kUInt16);
  EXPECT_FALSE(plan.edges.begin()->second.fixed_encoding) << "8-bit numbers on a 16-bit grid";
}

TEST(IntegerInput, FloatReadersDoNotChangeIt) {
  const graph::Graph graph = with_zero_point(levels(false, "Erf"));
  const quant::EncodingTable table = encodings_of(plan_of(graph));
  const graph::Graph quantized = quant::insert_qdq(graph, table);
  EXPECT_EQ(quantized.producer("f")->input(0), "x");
}

TEST(IntegerInput, OtherDequantizedValuesAreNotInputs) {
  // The same node behind a constant, or a scale that is computed, fixes nothing.
  graph::Graph graph = with_zero_point(levels(false));
  graph.add_input("s2", GraphBuilder::type_of({}, DType::kFloat32));
  graph.set_input(*graph.producer("x"), 1, "s2");
  const QuantPlan plan = plan_of(graph);
  const auto found = plan.tensors.find("x");
  EXPECT_TRUE(found == plan.tensors.end() || !found->second.fixed_encoding);
}

}  // namespace
}  // namespace hexquant::plan
