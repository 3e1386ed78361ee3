#include "passes/merge_reductions.h"

#include "passes/infer_shapes.h"
#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::PatternBuilder;
using Ints = std::vector<std::int64_t>;

std::string reduce(PatternBuilder& b, const std::string& op, const std::string& value,
                   const Ints& axes, std::int64_t keepdims) {
  if (b.graph.opset() < 13 || (op != "ReduceSum" && b.graph.opset() < 18)) {
    return b.op(op, {value}, {{"axes", axes}, {"keepdims", keepdims}});
  }
  return b.op(op, {value, b.constant(test::ints(axes))}, {{"keepdims", keepdims}});
}

graph::Graph chain(const std::string& first, const Ints& first_axes, std::int64_t first_keep,
                   const std::string& second, const Ints& second_axes, std::int64_t second_keep,
                   std::int64_t opset = 21) {
  PatternBuilder b({2, 3, 4, 5}, opset);
  const std::string inner = reduce(b, first, "x", first_axes, first_keep);
  const std::string outer = reduce(b, second, inner, second_axes, second_keep);
  graph::Graph graph = b.finish(outer);
  (void)infer_shapes(graph, {});
  return graph;
}

TEST(MergeReductions, GlobalPoolingInTwoSteps) {
  for (const std::int64_t opset : {11, 13, 21}) {
    for (const char* op : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"}) {
      const graph::Graph changed =
          expect_applied(chain(op, {3}, 0, op, {2}, 0, opset), merge_reductions);
      EXPECT_EQ(changed.nodes().size(), 1U);
      expect_applied(chain(op, {-1}, 1, op, {2}, 1, opset), merge_reductions);
      // Axis 1 is the old axis 2 once axis 1 is gone.
      expect_applied(chain(op, {1}, 0, op, {1}, 0, opset), merge_reductions);
      expect_applied(chain(op, {0, 2}, 0, op, {-1}, 0, opset), merge_reductions);
    }
  }
}

TEST(MergeReductions, LeavesOtherPairsAlone) {
  expect_untouched(chain("ReduceMean", {3}, 0, "ReduceMax", {2}, 0), merge_reductions);
  expect_untouched(chain("ReduceMean", {3}, 1, "ReduceMean", {2}, 0), merge_reductions);
  expect_untouched(chain("ReduceL2", {3}, 0, "ReduceL2", {2}, 0), merge_reductions);
}

TEST(MergeReductions, AnInnerResultThatIsReadElsewhereStays) {
  graph::Graph graph = chain("ReduceMean", {3}, 0, "ReduceMean", {2}, 0);
  graph.add_output(graph.nodes().front().output());
  expect_untouched(graph, merge_reductions);
}

TEST(MergeReductions, WouldChangeTheOutput) {
  // The same merge of unlike reductions gives other numbers: the guard is what keeps them.
  const graph::Graph mixed = chain("ReduceMax", {3}, 0, "ReduceMean", {2}, 0);
  const graph::Graph wrong = chain("ReduceMean", {3}, 0, "ReduceMean", {2}, 0);
  const auto feeds = test::random_feeds(mixed, 3);
  EXPECT_GT(
      test::largest_difference(test::run_graph(mixed, feeds)[0], test::run_graph(wrong, feeds)[0]),
      0.1);
}

}  // namespace
}  // namespace hexquant::passes
