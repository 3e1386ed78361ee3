#include "pipeline/placement_lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/graph_builder.h"

namespace hexquant::pipeline {
namespace {

using target::Placement;
using target::PlacementReport;
using target::Unit;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

formats::QnnTensor tensor(const std::string& name, std::int64_t code, bool is_static = false) {
  formats::QnnTensor made;
  made.name = name;
  made.type = formats::qnn_data_type(code);
  made.is_static = is_static;
  return made;
}

constexpr std::int64_t kUInt8Code = 0x0408;
constexpr std::int64_t kFloatCode = 0x0232;

/// x -> Q -> DQ -> Conv -> Relu -> Q -> DQ -> Sigmoid -> Erf; nodes are called after their output.
graph::Graph chain() {
  test::GraphBuilder builder;
  const Shape shape = {1, 4, 2, 2};
  builder.input("x", shape).scalar("s", 0.5F).constant("w", {4, 4, 1, 1});
  builder.node("QuantizeLinear", {"x", "s"}, {"q"}, shape)
      .node("DequantizeLinear", {"q", "s"}, {"d"}, shape)
      .node("Conv", {"d", "w"}, {"conv"}, shape)
      .node("Relu", {"conv"}, {"relu"}, shape)
      .node("QuantizeLinear", {"relu", "s"}, {"rq"}, shape)
      .node("DequantizeLinear", {"rq", "s"}, {"rd"}, shape)
      .node("Sigmoid", {"rd"}, {"sigmoid"}, shape)
      .node("Erf", {"sigmoid"}, {"erf"}, shape)
      .output("erf");
  return builder.graph();
}

VendorFiles compiled_chain() {
  VendorFiles files;
  files.created = true;
  formats::QnnGraph graph;
  for (const auto& made :
       {tensor("a", kUInt8Code), tensor("b", kUInt8Code), tensor("c", kFloatCode),
        tensor("d", kFloatCode), tensor("f", kFloatCode, true)}) {
    graph.tensors[made.name] = made;
  }
  // A static float parameter does not make the Conv float.
  graph.nodes = {{"conv_token_3", "Conv2d", {"a", "f"}, {"b"}},
                 {"rd", "Dequantize", {"b"}, {"c"}},
                 {"sigmoid", "Sigmoid", {"c"}, {"d"}}};
  files.graphs = {graph};
  formats::FrameworkTrace trace;
  trace.graphs = {{"g",
                   {{"conv_token_3", "Conv2d", {"d/duplicated", "conv_token_3", "relu", "rq"}, {}},
                    {"rd", "Dequantize", {"rd"}, {}},
                    {"sigmoid", "Sigmoid", {"sigmoid"}, {}}}}};
  trace.unsupported = {{"q", "QuantizeLinear", "consumes a graph input"},
                       {"erf", "Erf", "not supported"}};
  files.trace = trace;
  return files;
}

TEST(VendorPlacement, TypesOfTensorsDecide) {
  const PlacementReport report = vendor_placement(chain(), compiled_chain());
  EXPECT_EQ(report.find("conv")->unit, Unit::kNpuInteger);
  EXPECT_EQ(report.find("relu")->unit, Unit::kNpuInteger);  // through the trace's sources
  EXPECT_EQ(report.find("rq")->unit, Unit::kFolded);
  EXPECT_EQ(report.find("rd")->unit, Unit::kNpuFloat);
  EXPECT_EQ(report.find("sigmoid")->unit, Unit::kNpuFloat);
  EXPECT_EQ(report.find("erf")->unit, Unit::kCpu);
  EXPECT_EQ(report.find("erf")->reason, "not supported");
  EXPECT_EQ(report.find("q")->unit, Unit::kCpu);
  EXPECT_THAT(report.rejections, IsEmpty());
}

TEST(VendorPlacement, LogExplainsARejectedModel) {
  VendorFiles files;
  files.error = "Node 'conv_token_3' was inserted using the NHWC format";
  files.log.units = {{true, "OrtNodeUnit", "Conv", {"d", "conv", "relu", "rq"}, ""},
                     {false, "OrtNodeUnit", "Conv", {"d", "conv_token_3", "relu", "rq"}, "scales"},
                     {true, "OrtNodeUnit", "Sigmoid", {"sigmoid"}, ""}};
  const PlacementReport report = vendor_placement(chain(), files);
  ASSERT_EQ(report.rejections.size(), 1U);
  EXPECT_EQ(report.rejections[0].node, "conv");
  EXPECT_EQ(report.rejections[0].reason, "scales");
  EXPECT_EQ(report.find("conv")->unit, Unit::kCpu);  // the last verdict counts
  EXPECT_EQ(report.find("sigmoid")->unit, Unit::kNpuFloat);
}

TEST(VendorPlacement, FailureWithoutANodeKeepsTheMessage) {
  VendorFiles files;
  files.error = "Failed to finalize QNN graph";
  const PlacementReport report = vendor_placement(chain(), files);
  ASSERT_EQ(report.rejections.size(), 1U);
  EXPECT_EQ(report.rejections[0].node, "");
  EXPECT_EQ(report.rejections[0].reason, "Failed to finalize QNN graph");
}

TEST(ExplainPlacement, TakesAdviceWhereBothAgree) {
  PlacementReport predicted;
  predicted.nodes = {{"sigmoid", "Sigmoid", Unit::kNpuFloat, "its output is not quantized", "add"},
                     {"conv", "Conv", Unit::kNpuFloat, "wrong", "wrong"},
                     {"erf", "Erf", Unit::kCpu, "no such operation", "replace it"}};
  predicted.findings = {{"computed-wrong", Severity::kWarning, "conv", "r", "f"}};
  const PlacementReport report =
      explain_placement(vendor_placement(chain(), compiled_chain()), predicted);
  EXPECT_EQ(report.find("sigmoid")->reason, "its output is not quantized");
  EXPECT_EQ(report.find("sigmoid")->fix, "add");
  EXPECT_EQ(report.find("conv")->fix, "");
  EXPECT_THAT(report.find("erf")->reason, HasSubstr("no such operation (the vendor: not supp"));
  ASSERT_EQ(report.findings.size(), 1U);
}

}  // namespace
}  // namespace hexquant::pipeline
