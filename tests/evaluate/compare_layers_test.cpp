#include "evaluate/compare_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "evaluate/quantized_models.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

using graph::Dim;
using graph::Graph;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// x [N,2] -> Neg -> a -> Relu -> y
Graph neg_relu() {
  Graph graph;
  graph.opsets[""] = 13;
  graph.add_input("x", {DType::kFloat32, std::vector<Dim>{{-1, "N"}, {2, ""}}});
  graph.add_node({.op_type = "Neg", .inputs = {"x"}, .outputs = {"a"}, .name = "first"});
  graph.add_node({.op_type = "Relu", .inputs = {"a"}, .outputs = {"y"}, .name = "second"});
  graph.add_output("y");
  return graph;
}

Encoding step(float scale) {
  Encoding encoding;
  encoding.type = DType::kUInt8;
  encoding.scale = {scale};
  encoding.zero_point = {128};
  return encoding;
}

std::string failure_of(const std::function<void()>& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(MatchValues, PairsValuesWithTheirDequantizeLinear) {
  const Graph reference = neg_relu();
  quant::EncodingTable table;
  table.tensors = {{"x", step(1)}, {"y", step(1)}};
  const Graph quantized = quant::insert_qdq(reference, table);
  // a lies inside a group: no pair.
  EXPECT_THAT(match_values(reference, quantized),
              ElementsAre(Pair("x", "x_DequantizeLinear_Output"), Pair("y", "y")));
}

TEST(MatchValues, FloatGraphOutputsArePairedToo) {
  EXPECT_THAT(match_values(neg_relu(), neg_relu()), ElementsAre(Pair("y", "y")));
}

TEST(CompareLayers, HandComputed) {
  const Graph reference = neg_relu();
  quant::EncodingTable table;
  table.tensors = {{"x", step(1)}, {"a", step(1)}, {"y", step(2)}};
  const Graph quantized = quant::insert_qdq(reference, table);
  const auto data = test::float_rows("x", {{-3, 1.25F}, {-5, 0}});
  const auto layers =
      compare_layers(reference, quantized, match_values(reference, quantized), data);
  ASSERT_EQ(layers.size(), 3U);
  EXPECT_EQ(layers[0].tensor, "x");
  EXPECT_EQ(layers[0].op, "Input");
  EXPECT_EQ(layers[0].node, "");
  EXPECT_DOUBLE_EQ(layers[0].difference.error_squared, 0.0625);  // 1.25 -> 1
  EXPECT_EQ(layers[1].node, "first");
  EXPECT_DOUBLE_EQ(layers[1].difference.error_squared, 0.0625);
  EXPECT_EQ(layers[2].op, "Relu");
  // 3 -> 1.5 -> 2 steps of 2, 5 -> 2.5 -> 2 steps (ties to even): errors 1 and 1
  EXPECT_DOUBLE_EQ(layers[2].difference.error_squared, 2.0);
  EXPECT_DOUBLE_EQ(layers[2].difference.reference_squared, 34.0);
  EXPECT_EQ(layers[2].difference.count, 4);
}

TEST(CompareLayers, TakesTheFirstSamplesOnly) {
  const Graph reference = neg_relu();
  const auto data = test::float_rows("x", {{-3, 1}, {-5, 0}, {1, 1}});
  const auto layers = compare_layers(reference, reference, {{"y", "y"}}, data, {.samples = 2});
  EXPECT_EQ(layers.at(0).difference.count, 4);
  EXPECT_TRUE(layers.at(0).difference.is_exact());
}

TEST(CompareLayers, ThreadsAndBudgetChangeNothing) {
  const Graph reference = test::tiny_cnn();
  const Graph quantized = test::quantized_tiny_cnn(DType::kUInt8, DType::kInt8);
  const auto pairs = match_values(reference, quantized);
  const auto data = test::tiny_images(9);
  const auto json = [&](int threads, std::int64_t budget_bytes) {
    return to_json(
        compare_layers(reference, quantized, pairs, data,
                       {.samples = 0, .threads = threads, .budget_bytes = budget_bytes}));
  };
  const Json whole = json(1, 1 << 30);
  EXPECT_EQ(whole.dump(), json(3, 1 << 30).dump());
  EXPECT_GE(whole.size(), 8U);
  // Groups of one tensor: what is fused differs, so only nearly the same.
  const Json single = json(2, 1);
  ASSERT_EQ(single.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(single[i]["tensor"], whole[i]["tensor"]);
    EXPECT_NEAR(single[i]["sqnr_db"].get<double>(), whole[i]["sqnr_db"].get<double>(), 0.5);
    EXPECT_GT(whole[i]["sqnr_db"].get<double>(), 15.0) << whole[i].dump();
  }
}

TEST(CompareLayers, ErrorsNameTheTensor) {
  const Graph reference = neg_relu();
  const auto data = test::float_rows("x", {{-3, 1}});
  EXPECT_THAT(failure_of([&] { (void)compare_layers(reference, reference, {}, data); }),
              HasSubstr("no tensor of the reference carries a Q/DQ pair"));
  EXPECT_THAT(failure_of([&] {
                (void)compare_layers(reference, reference, {{"y", "y"}, {"q", "y"}}, data);
              }),
              HasSubstr("no value 'q'"));
  EXPECT_THAT(failure_of([&] {
                (void)compare_layers(reference, reference, {{"y", "nix"}}, data);
              }),
              HasSubstr("'nix'"));
}

}  // namespace
}  // namespace hexquant::evaluate
