#include "evaluate/session_choice.h"

#include <gtest/gtest.h>

#include <random>

#include "evaluate/difference.h"
#include "evaluate/quantized_models.h"
#include "quant/matmul_nbits.h"
#include "support/temp_folder.h"

namespace hexquant::evaluate {
namespace {

struct Widths {
  DType activations;
  DType weights;
  bool integer_kernels;
};

class EveryWidth : public ::testing::TestWithParam<Widths> {};

// The optimized session against the graph computed node by node, as written. Sums of floats in
// another order carry a value over a rounding border now and then: one step of the output, rarely
// two. A saturating or differently rounding kernel is off by tens of steps.
TEST_P(EveryWidth, ComputesTheGraphAsWritten) {
  const auto [activations, weights, integer_kernels] = GetParam();
  const graph::Graph graph = test::quantized_tiny_cnn(activations, weights);
  const runtime::SessionOptions options = session_options(graph);
  EXPECT_EQ(options.integer_kernels, integer_kernels);
  EXPECT_TRUE(options.exact_integers);
  const runtime::Session optimized(graph, options);
  const runtime::Session literal(graph, {.optimize = false});
  const auto data = test::tiny_images(16);
  Difference difference;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    difference.add(literal.run(data.load(i)).at(0), optimized.run(data.load(i)).at(0));
  }
  const graph::Graph source = test::tiny_cnn();
  const auto encodings = test::tiny_encodings(source, test::tiny_images(8), activations, weights);
  const double step = encodings.tensors.at(source.outputs().at(0)).scale.at(0);
  EXPECT_LE(difference.max_abs, 2.01 * step);
  EXPECT_GT(difference.reference_squared, 0.0);
}

INSTANTIATE_TEST_SUITE_P(Widths, EveryWidth,
                         ::testing::Values(Widths{DType::kUInt8, DType::kInt8, true},
                                           Widths{DType::kInt8, DType::kInt8, true},
                                           Widths{DType::kUInt16, DType::kInt8, false},
                                           Widths{DType::kInt16, DType::kInt8, false},
                                           Widths{DType::kUInt8, DType::kInt4, false},
                                           Widths{DType::kUInt8, DType::kInt16, false},
                                           Widths{DType::kUInt16, DType::kInt4, false}),
                         [](const auto& info) {
                           return dtype_name(info.param.activations) + "_" +
                                  dtype_name(info.param.weights);
                         });

TEST(SessionOptions, FloatModelsKeepTheDefaults) {
  EXPECT_TRUE(session_options(test::tiny_cnn()).integer_kernels);
}

/// x -> MatMul(w) -> y with float x and w in groups.
graph::Graph group_product(DType type) {
  graph::Graph graph;
  graph.opsets[""] = 21;
  graph::ValueType input{DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {3, ""}, {64, ""}}};
  graph.add_input("x", input);
  std::vector<float> weights(64 * 40);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<float>(i * 37 % 101) / 50.0F - 1.0F;
  }
  graph.add_initializer("w", Tensor::from<float>({64, 40}, weights));
  graph.add_node({"MatMul", {"x", "w"}, {"y"}, {}, "layer", ""});
  graph.add_output("y");
  Encoding encoding;
  encoding.type = type;
  encoding.symmetric = true;
  encoding.granularity = Granularity::kGroup;
  encoding.axis = 0;
  encoding.block_size = 32;
  encoding.scale.assign(80, type == DType::kInt4 ? 1.0F / 7.0F : 1.0F / 127.0F);
  encoding.zero_point.assign(80, 0);
  quant::EncodingTable table;
  table.tensors["w"] = encoding;
  return quant::insert_qdq(graph, table);
}

// ONNX Runtime makes a MatMulNBits of accuracy level 4 of the Q/DQ form, int8 codes included, which
// rounds x to 8 bits: off by thousands of times the difference of two float sums.
TEST(SessionOptions, BlocksMultiplyFloats) {
  constexpr double kReorderedSumTolerance = 2e-5;
  Tensor x(DType::kFloat32, {1, 3, 64});
  std::mt19937 engine(7);
  std::normal_distribution<float> normal;
  for (float& value : x.mutable_data<float>()) value = normal(engine);
  for (const DType type : {DType::kInt4, DType::kInt8}) {
    const graph::Graph qdq = group_product(type);
    EXPECT_FALSE(session_options(qdq).integer_kernels);
    const graph::Graph packed = quant::use_matmul_nbits(qdq);
    EXPECT_TRUE(session_options(packed).integer_kernels);
    const Tensor literal = runtime::Session(qdq, {.optimize = false}).run({{"x", x}}).at(0);
    for (const graph::Graph* graph : {&qdq, &packed}) {
      Difference difference;
      difference.add(literal, runtime::Session(*graph, session_options(*graph)).run({{"x", x}})[0]);
      EXPECT_LE(difference.max_abs, kReorderedSumTolerance) << dtype_name(type);
    }
  }
}

TEST(OpenSession, ReadsTheWidthsOfAFile) {
  const test::TempFolder folder;
  const auto path = folder.path() / "wide.onnx";
  const graph::Graph graph = test::quantized_tiny_cnn(DType::kUInt16, DType::kInt8);
  formats::write_onnx(graph, path);
  const auto from_file = open_session({.name = "", .graph = nullptr, .file = path});
  const auto from_graph = open_session({.name = "", .graph = &graph, .file = {}});
  const auto sample = test::tiny_images(1).load(0);
  EXPECT_EQ(from_file->run(sample).at(0), from_graph->run(sample).at(0));
}

}  // namespace
}  // namespace hexquant::evaluate
