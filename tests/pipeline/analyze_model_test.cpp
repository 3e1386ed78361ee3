#include "pipeline/analyze_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "hexquant/error.h"
#include "pipeline/quantized_structure.h"
#include "pipeline/what_if.h"
#include "support/graph_builder.h"

namespace hexquant::pipeline {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

/// Conv + Relu, Conv, Add of the two, all of 32 channels.
graph::Graph residual() {
  test::GraphBuilder builder;
  const Shape shape = {1, 32, 16, 16};
  const graph::Attributes padded = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
  builder.input("x", {1, 3, 16, 16}).constant("w0", {32, 3, 3, 3}).constant("w1", {32, 32, 3, 3});
  builder.node("Conv", {"x", "w0"}, {"a"}, shape, padded);
  builder.node("Relu", {"a"}, {"r"}, shape);
  builder.node("Conv", {"r", "w1"}, {"b"}, shape, padded);
  builder.node("Add", {"b", "r"}, {"y"}, shape);
  builder.output("y");
  return builder.graph();
}

std::vector<std::string> operations(const perf::Workload& work) {
  std::vector<std::string> names;
  for (const perf::Operation& operation : work.operations) names.push_back(operation.op);
  return names;
}

Analysis analyze(AnalyzeRequest request = {}) {
  const target::Target target = analysis_target(request);
  const AnalysisGraph input = analysis_graph(residual(), request, target);
  Analysis analysis = analyze_graph(input.graph, target, request.predict);
  analysis.was_float = input.was_float;
  return analysis;
}

TEST(AnalyzeModel, AFloatModelIsSeenAsItWouldBeQuantized) {
  const Analysis analysis = analyze();
  EXPECT_TRUE(analysis.was_float);
  EXPECT_THAT(operations(analysis.workload),
              ElementsAre("QuantizeLinear", "Conv", "Conv", "Add", "DequantizeLinear"));
  const perf::Operation& first = analysis.workload.operations[1];
  EXPECT_THAT(first.nodes, ElementsAre("a", "r"));
  EXPECT_EQ(first.act_bits, 8);
  EXPECT_EQ(first.weight_bits, 8);
  EXPECT_EQ(first.macs, 32 * 16 * 16 * 3 * 9);
  EXPECT_EQ(analysis.prediction.macs, 32 * 16 * 16 * (3 + 32) * 9);
  EXPECT_GT(analysis.prediction.time_us.value, 0.0);
}

TEST(AnalyzeModel, AFloatModelWithCodesAsInputIsPlannedToo) {
  // As `optimize --uint8-input` leaves it: the DequantizeLinear states the input's encoding.
  test::GraphBuilder builder;
  builder.input("x", {1, 3, 16, 16}, DType::kUInt8).scalar("scale", 1.0F);
  builder.constant("w", {32, 3, 3, 3});
  builder.node("DequantizeLinear", {"x", "scale"}, {"levels"}, {1, 3, 16, 16});
  builder.node("Conv", {"levels", "w"}, {"y"}, {1, 32, 14, 14}).output("y");
  AnalyzeRequest request;
  const target::Target target = analysis_target(request);
  const AnalysisGraph input = analysis_graph(builder.graph(), request, target);
  EXPECT_TRUE(input.was_float);
  const Analysis analysis = analyze_graph(input.graph, target, {});
  ASSERT_THAT(operations(analysis.workload), Contains("Conv"));
  EXPECT_EQ(analysis.workload.operations[0].unit, target::Unit::kNpuInteger);
  EXPECT_EQ(analysis.workload.operations[0].weight_bits, 8);
}

TEST(AnalyzeModel, WidthsOfTheRequestArePlanned) {
  AnalyzeRequest request;
  request.plan.act_bits = 16;
  request.plan.weight_bits = 4;
  request.plan.weight_bits_everywhere = true;
  const Analysis analysis = analyze(request);
  EXPECT_EQ(analysis.workload.operations[2].act_bits, 16);
  EXPECT_EQ(analysis.workload.operations[2].weight_bits, 4);
  EXPECT_EQ(analysis.workload.operations[2].weight_bytes, 32 * 32 * 9 / 2);
}

TEST(AnalyzeModel, FiguresOfTheUserReplaceThoseOfTheChip) {
  AnalyzeRequest request;
  request.soc_figures["ddr_effective_gb_per_s"] = 12.5;
  EXPECT_DOUBLE_EQ(*analysis_target(request).soc.ddr_effective_gb_per_s.value, 12.5);
  EXPECT_EQ(analysis_target(request).soc.ddr_effective_gb_per_s.source, "user");
  request.soc_figures = {{"bandwidth", 1.0}};
  EXPECT_THROW((void)analysis_target(request), Error);
  request.soc_figures = {{"clock_mhz", 0.0}};
  EXPECT_THROW((void)analysis_target(request), Error);
}

TEST(AnalyzeModel, FreeDimensionsAreAFindingAndTheRestIsAnalysed) {
  test::GraphBuilder builder;
  builder.input("x", {1, 8}).input("y", {1, 8}).constant("w", {8, 8});
  builder.node("MatMul", {"x", "w"}, {"a"}, {1, 8}).node("Relu", {"y"}, {"b"}, {1, 8});
  builder.output("a").output("b");
  graph::Graph graph = builder.graph();
  graph.set_input_type("y", {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {-1, "length"}}});
  graph.erase_type("b");
  AnalyzeRequest request;
  const target::Target target = analysis_target(request);
  const AnalysisGraph input = analysis_graph(graph, request, target);
  EXPECT_THAT(input.findings, Contains(Field(&Finding::id, "dynamic-shape")));
  const Analysis analysis = analyze_graph(input.graph, target, {});
  EXPECT_THAT(analysis.findings, Contains(Field(&Finding::id, "shapes-unknown")));
  EXPECT_THAT(operations(analysis.workload), Contains("MatMul"));
}

TEST(WhatIf, ChangesAreAppliedEachAlone) {
  AnalyzeRequest request;
  const Analysis now = analyze(request);
  const auto rows = what_if(residual(), request, now,
                            {"act-bits=16", "weight-bits=4:all", "layer:b=w4a16", "soc=SM8750",
                             "resolution=32", "vtcm-mb=2", "dlbc", "borders=uint8"});
  for (const WhatIf& row : rows) EXPECT_EQ(row.problem, "") << row.change;
  EXPECT_GT(rows[0].time_us.value, now.prediction.time_us.value);
  EXPECT_LT(rows[1].ddr_bytes, now.prediction.ddr_bytes);
  EXPECT_GT(rows[4].time_us.value, now.prediction.time_us.value);
  EXPECT_LE(rows[7].time_us.value, now.prediction.time_us.value);
}

TEST(WhatIf, WidthsOfAQdqModelAreChangedAsItStands) {
  AnalyzeRequest request;
  const target::Target target = analysis_target(request);
  const graph::Graph qdq = analysis_graph(residual(), request, target).graph;
  Analysis now = analyze_graph(qdq, target, {});
  const auto rows = what_if(qdq, request, now, {"weight-bits=4", "act-bits=16"});
  EXPECT_LT(rows[0].ddr_bytes, now.prediction.ddr_bytes);
  EXPECT_GT(rows[1].time_us.value, now.prediction.time_us.value);
}

TEST(WhatIf, WhatCannotBeDoneIsSaidOrRefused) {
  AnalyzeRequest request;
  const Analysis now = analyze(request);
  const auto rows = what_if(residual(), request, now, {"soc=SM9999", "layer:nothing=a16"});
  EXPECT_THAT(rows[0].problem, HasSubstr("SM9999"));
  EXPECT_THAT(rows[1].problem, HasSubstr("nothing"));
  for (const char* wrong : {"act-bits=12", "bits=8", "layer:x=8", "resolution=big", "vtcm-mb=0"}) {
    EXPECT_THROW((void)what_if(residual(), request, now, {wrong}), Error) << wrong;
  }
}

/// Conv + Relu, `layers` times: a chain in which everything is looked up by name.
graph::Graph chain(int layers) {
  test::GraphBuilder builder;
  builder.input("x", {1, 8, 4, 4});
  std::string value = "x";
  for (int i = 0; i < layers; ++i) {
    const std::string index = std::to_string(i);
    builder.constant("w" + index, {8, 8, 1, 1});
    builder.node("Conv", {value, "w" + index}, {"c" + index}, {1, 8, 4, 4});
    builder.node("Relu", {"c" + index}, {"r" + index}, {1, 8, 4, 4});
    value = "r" + index;
  }
  return builder.output(value).graph();
}

double analysis_cpu_seconds(const graph::Graph& graph, std::size_t operations) {
  const AnalyzeRequest request;
  const target::Target target = analysis_target(request);
  double best = 1e300;
  for (int i = 0; i < 3; ++i) {
    const std::clock_t start = std::clock();
    const AnalysisGraph input = analysis_graph(graph, request, target);
    const Analysis analysis = analyze_graph(input.graph, target, request.predict);
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    EXPECT_EQ(analysis.workload.operations.size(), operations);
  }
  return best;
}

TEST(AnalyzeModel, CpuTimeGrowsWithTheNodesAndNotWithTheirSquare) {
  constexpr int kLayers = 150;
  constexpr int kFactor = 10;
  const double few = analysis_cpu_seconds(chain(kLayers), kLayers + 2);
  const double many = analysis_cpu_seconds(chain(kLayers * kFactor), kLayers * kFactor + 2);
  // In proportion would be kFactor at most, as something is paid once; the square is 100.
  EXPECT_LT(many, 2.5 * kFactor * few);
}

}  // namespace
}  // namespace hexquant::pipeline
