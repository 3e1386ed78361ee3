#include "quant/weight_matrix.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/graph_builder.h"

namespace hexquant::quant {
namespace {

using graph::Graph;

/// A layer whose weight element i is i.
Graph layer(const std::string& op, const Shape& weight, graph::Attributes attributes = {},
            bool weight_first = false) {
  Graph graph = test::GraphBuilder()
                    .input("x", {1, 4, 4, 4})
                    .constant("w", weight)
                    .node(op,
                          weight_first ? std::vector<std::string>{"w", "x"}
                                       : std::vector<std::string>{"x", "w"},
                          {"y"}, {1}, std::move(attributes))
                    .output("y")
                    .graph();
  std::vector<float> values(static_cast<std::size_t>(element_count(weight)));
  std::iota(values.begin(), values.end(), 0.0F);
  graph.set_initializer("w", Tensor::from<float>(weight, values));
  return graph;
}

std::optional<WeightMatrix> matrix_of(const Graph& graph) {
  return WeightMatrix::find(graph, graph.nodes().front());
}

/// Checks the shape and that from_matrix undoes to_matrix; returns the matrix.
std::vector<float> expect_matrix(const Graph& graph, std::int64_t groups, std::int64_t rows,
                                 std::int64_t columns) {
  const auto matrix = matrix_of(graph);
  EXPECT_TRUE(matrix);
  if (!matrix) return {};
  EXPECT_EQ(matrix->groups(), groups);
  EXPECT_EQ(matrix->rows(), rows);
  EXPECT_EQ(matrix->columns(), columns);
  const auto values = graph.find_initializer("w")->data<float>();
  const std::vector<float> rows_first = matrix->to_matrix(values);
  EXPECT_EQ(matrix->from_matrix(rows_first), std::vector<float>(values.begin(), values.end()));
  return rows_first;
}

TEST(WeightMatrix, ConvIsStoredAsMatrix) {
  const auto values =
      expect_matrix(layer("Conv", {4, 2, 1, 3}, {{"group", std::int64_t{2}}}), 2, 2, 6);
  EXPECT_EQ(values[7], 7.0F);
  EXPECT_EQ(matrix_of(layer("Conv", {4, 2, 1, 3}))->taps(), 3);
}

TEST(WeightMatrix, ConvTransposeHasInputChannelsFirst) {
  // [C = 2, M = 3, k = 2]: row 1 reads (channel 0, taps 2 3), (channel 1, taps 8 9).
  const auto values = expect_matrix(layer("ConvTranspose", {2, 3, 2}), 1, 3, 4);
  EXPECT_EQ(std::vector<float>(values.begin() + 4, values.begin() + 8),
            (std::vector<float>{2, 3, 8, 9}));
}

TEST(WeightMatrix, GroupedConvTranspose) {
  // [C = 4, M / g = 1, k = 1], two groups of two channels.
  const auto values =
      expect_matrix(layer("ConvTranspose", {4, 1, 1}, {{"group", std::int64_t{2}}}), 2, 1, 2);
  EXPECT_EQ(values, (std::vector<float>{0, 1, 2, 3}));
}

TEST(WeightMatrix, GemmAndMatMulOnEitherSide) {
  EXPECT_EQ(expect_matrix(layer("Gemm", {2, 3}), 1, 3, 2), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(expect_matrix(layer("Gemm", {2, 3}, {{"transB", std::int64_t{1}}}), 1, 2, 3),
            (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(expect_matrix(layer("MatMul", {2, 3}), 1, 3, 2),
            (std::vector<float>{0, 3, 1, 4, 2, 5}));
  const Graph left = layer("MatMul", {2, 3}, {}, true);
  EXPECT_EQ(expect_matrix(left, 1, 2, 3), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(matrix_of(left)->weight_input(), 0);
}

TEST(WeightMatrix, AbsentWhereTheLayerIsNoPlainProduct) {
  EXPECT_FALSE(matrix_of(layer("MatMul", {2, 2, 3}))) << "batched";
  EXPECT_FALSE(matrix_of(layer("Conv", {2, 2, 1, 1, 1}))) << "no columns are gathered in 3-D";
  EXPECT_FALSE(matrix_of(layer("Gemm", {2, 3}, {{"alpha", 0.5F}})));
  EXPECT_FALSE(matrix_of(layer("Add", {2, 3})));
  EXPECT_FALSE(matrix_of(layer("Conv", {3, 2, 1, 1}, {{"group", std::int64_t{2}}})))
      << "3 outputs do not divide into 2 groups";
}

TEST(WeightMatrix, BlockScalesFollowTheStorage) {
  const std::vector<int> by_row = {1, 2, 3, 4, 5, 6};  // 3 rows of 2 blocks
  EXPECT_EQ(matrix_of(layer("MatMul", {4, 3}))->to_scale_order(by_row, Granularity::kGroup),
            (std::vector<int>{1, 3, 5, 2, 4, 6}));
  const auto rows_first = matrix_of(layer("Gemm", {3, 4}, {{"transB", std::int64_t{1}}}));
  EXPECT_EQ(rows_first->to_scale_order(by_row, Granularity::kGroup), by_row);
  EXPECT_EQ(matrix_of(layer("MatMul", {4, 6}))->to_scale_order(by_row, Granularity::kChannel),
            by_row);
}

}  // namespace
}  // namespace hexquant::quant
