#include "passes/add_missing_bias.h"

#include <gtest/gtest.h>

#include "support/graph_builder.h"

namespace hexquant::passes {
namespace {

TEST(AddMissingBias, GivesLayersABiasOfZeros) {
  graph::Graph graph = test::GraphBuilder()
                           .input("x", {1, 2, 4, 4})
                           .constant("w", {3, 2, 1, 1})
                           .constant("v", {2, 3, 1, 1})
                           .constant("b", {2})
                           .constant("m", {4, 5})
                           .node("Conv", {"x", "w"}, {"a"}, {1, 3, 4, 4})
                           .node("Conv", {"a", "v", "b"}, {"c"}, {1, 2, 4, 4})
                           .node("MatMul", {"c", "m"}, {"y"}, {1, 2, 4, 5})
                           .output("y")
                           .graph();
  const Tensor before = *graph.find_initializer("b");
  EXPECT_EQ(add_missing_bias(graph).applied_to, std::vector<std::string>{"a"});
  const Tensor* bias = graph.find_initializer(graph.producer("a")->input(2));
  ASSERT_NE(bias, nullptr);
  EXPECT_EQ(*bias, Tensor::from<float>({3}, std::vector<float>(3, 0.0F)));
  EXPECT_EQ(*graph.find_initializer("b"), before);
  EXPECT_TRUE(add_missing_bias(graph).applied_to.empty()) << "done already";
}

}  // namespace
}  // namespace hexquant::passes
