#include "plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "hexquant/error.h"
#include "support/graph_builder.h"
#include "target/target.h"

namespace hexquant::plan {
namespace {

using quant::EdgeKey;
using quant::QuantPlan;
using quant::Role;
using quant::TensorPolicy;
using test::GraphBuilder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

QuantPlan plan_of(const GraphBuilder& builder, const PlanOptions& options = {},
                  const std::string& soc = "SM8650") {
  return make_plan(builder.graph(), target::load_target(soc), options);
}

PlanOptions sixteen_bits() {
  PlanOptions options;
  options.act_bits = 16;
  return options;
}

std::set<std::string> activations(const QuantPlan& plan) {
  std::set<std::string> names;
  for (const auto& [name, policy] : plan.tensors) {
    if (policy.role == Role::kActivation) names.insert(name);
  }
  return names;
}

const quant::LayerDecision& row(const QuantPlan& plan, const std::string& node) {
  const auto found = std::find_if(plan.layers.begin(), plan.layers.end(),
                                  [&](const auto& layer) { return layer.node == node; });
  EXPECT_NE(found, plan.layers.end()) << node;
  return *found;
}

std::string finding(const QuantPlan& plan, const std::string& id, const std::string& where) {
  for (const Finding& one : plan.findings) {
    if (one.id == id && one.where == where) return one.reason;
  }
  return "";
}

GraphBuilder& conv(GraphBuilder& builder, const std::string& x, const std::string& y,
                   std::int64_t inputs = 8, std::int64_t outputs = 8, std::int64_t kernel = 3) {
  builder.constant(y + "_w", {outputs, inputs, kernel, kernel}).constant(y + "_b", {outputs});
  return builder.node("Conv", {x, y + "_w", y + "_b"}, {y}, {1, outputs, 8, 8});
}

const Shape kImage = {1, 8, 8, 8};

TEST(PlanFloatParts, UnsupportedNodesStayFloatWithAFinding) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Erf", {"c"}, {"e"}, kImage).node("Celu", {"e"}, {"f"}, kImage);
  conv(b, "f", "y").output("y");
  const QuantPlan plan = plan_of(b);
  // Q/DQ pairs at both ends of the float island, none inside.
  EXPECT_EQ(activations(plan), (std::set<std::string>{"x", "c", "f", "y"}));
  EXPECT_THAT(finding(plan, "stays-float", "e"), HasSubstr("Erf stays float"));
  EXPECT_EQ(row(plan, "e").act_bits, 32);
}

TEST(PlanFloatParts, AddBetweenFloatNodesIsNotQuantized) {
  GraphBuilder b;
  b.input("x", {1, 4}).node("Erf", {"x"}, {"e"}, {1, 4}).node("Add", {"e", "e"}, {"a"}, {1, 4});
  b.node("Celu", {"a"}, {"y"}, {1, 4}).output("y");
  const QuantPlan plan = plan_of(b);
  EXPECT_THAT(activations(plan), IsEmpty());
  EXPECT_THAT(finding(plan, "stays-float", "a"), HasSubstr("no layer"));
}

TEST(PlanFloatParts, FloatResultWithFloatReadersIsQuantizedOnTheEdge) {
  GraphBuilder b;
  b.input("x", kImage).node("Erf", {"x"}, {"e"}, kImage);
  conv(b, "e", "c").node("Celu", {"e"}, {"f"}, kImage).output("c").output("f");
  const QuantPlan plan = plan_of(b);
  EXPECT_EQ(activations(plan), std::set<std::string>{"c"});
  EXPECT_EQ(plan.edges.at(EdgeKey{"c", 0}).type, DType::kUInt8);
  EXPECT_EQ(plan.biases.at("c_b").activation_edge, (EdgeKey{"c", 0}));
}

TEST(PlanFloatParts, MoversBetweenFloatNodesCarryNothing) {
  GraphBuilder b;
  b.input("x", {1, 4}).node("Erf", {"x"}, {"e"}, {1, 4}).node("Flatten", {"e"}, {"r"}, {1, 4});
  b.node("Celu", {"r"}, {"y"}, {1, 4}).output("y");
  EXPECT_THAT(activations(plan_of(b)), IsEmpty());
}

TEST(PlanFloatParts, ValueFromAnIntegerRegionIsEncoded) {
  GraphBuilder b;
  b.input("ids", {1, 4}, DType::kInt64);
  b.node("Cast", {"ids"}, {"f"}, {1, 4}, {{"to", std::int64_t{1}}}).scalar("k", 2.0F);
  b.node("Mul", {"f", "k"}, {"y"}, {1, 4}).output("y");
  EXPECT_EQ(activations(plan_of(b)), (std::set<std::string>{"f", "k", "y"}));
}

TEST(PlanFloatParts, KeepFloatTakesPatternsAndOperations) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "head/c").node("Relu", {"head/c"}, {"r"}, kImage);
  conv(b, "r", "y").output("y");
  PlanOptions options;
  options.keep_float = {"head/*"};
  const QuantPlan plan = plan_of(b, options);
  // The Relu follows its Conv into float: nothing is quantized between them either.
  EXPECT_EQ(activations(plan), (std::set<std::string>{"r", "y"}));
  EXPECT_THAT(finding(plan, "kept-float", "head/c"), HasSubstr("head/*"));
  EXPECT_EQ(row(plan, "head/c").weight_bits, 32);
  options.keep_float = {"op:Conv"};
  EXPECT_THAT(activations(plan_of(b, options)), IsEmpty());
}

TEST(PlanFloatParts, PatternsThatMatchNothingAreErrors) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "y").output("y");
  PlanOptions options;
  options.keep_float = {"y", "haed/*"};
  try {
    (void)plan_of(b, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("'haed/*'"));
  }
}

TEST(PlanFloatParts, OtherFloatTypesStayFloat) {
  GraphBuilder b;
  b.input("x", {1, 4}, DType::kFloat16);
  b.node("Relu", {"x"}, {"y"}, {1, 4}, {}, "", DType::kFloat16).output("y");
  const QuantPlan plan = plan_of(b);
  EXPECT_THAT(plan.tensors, IsEmpty());
  EXPECT_THAT(finding(plan, "stays-float", "y"), HasSubstr("float16"));
}

TEST(PlanFloatParts, WidthThatAnOperationLacksMeansFloatWhereThereIsFloat) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("LRN", {"c"}, {"y"}, kImage, {{"size", std::int64_t{5}}}).output("y");
  EXPECT_THAT(finding(plan_of(b, sixteen_bits()), "stays-float", "y"), HasSubstr("16-bit"));
  const QuantPlan plan = plan_of(b, sixteen_bits(), "SM8350");
  EXPECT_EQ(plan.tensors.at("y").type, DType::kUInt8);
  EXPECT_EQ(plan.edges.at(EdgeKey{"y", 0}).type, DType::kUInt8);
}

TEST(PlanFloatParts, FreeDimensionsAreReported) {
  GraphBuilder b;
  b.input("x", {-1, 4}).node("Relu", {"x"}, {"y"}, {1, 4}).output("y");
  EXPECT_THAT(finding(plan_of(b), "dynamic-shape", "x"), HasSubstr("fixed"));
}

TEST(PlanFloatParts, IllegalRankIsReported) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Unsqueeze", {"c"}, {"y"}, {1, 1, 1, 8, 8, 8}).output("y");
  EXPECT_THAT(finding(plan_of(b), "htp-illegal", "y"), HasSubstr("6 dimensions"));
}

TEST(PlanFloatParts, OptionsAreChecked) {
  GraphBuilder b;
  b.input("x", {1, 4}).node("Relu", {"x"}, {"y"}, {1, 4}).output("y");
  const auto fails = [&](auto change) {
    PlanOptions options;
    change(options);
    EXPECT_THROW((void)plan_of(b, options), Error);
  };
  fails([](PlanOptions& o) { o.weight_bits = 5; });
  fails([](PlanOptions& o) { o.act_bits = 4; });
  fails([](PlanOptions& o) { o.bias_bits = 16; });
  fails([](PlanOptions& o) { o.granularity = Granularity::kGroup; });
  fails([](PlanOptions& o) { o.layer_bits = {{"y", 3, 0}}; });
  fails([](PlanOptions& o) { o.layer_bits = {{"z", 8, 0}}; });
}

}  // namespace
}  // namespace hexquant::plan
