#include "passes/merge_attention.h"

#include "passes/infer_shapes.h"
#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::PatternBuilder;
using test::random_floats;
using Ints = std::vector<std::int64_t>;

constexpr std::int64_t kWidth = 8;

/// How an exporter wrote attention down.
struct Form {
  std::string score_op = "Div";  ///< behind the scores; "" = none
  bool scale_operands = false;   ///< q and k are multiplied on their own
  bool bias = true;              ///< MatMul + Add
  bool joint = false;            ///< q and k are halves of one projection
  bool mask = true;
  bool open = false;  ///< the scaled scores are an output too
  std::int64_t batch = 1;
};

std::string project(PatternBuilder& b, unsigned seed, bool bias, std::int64_t outputs = kWidth) {
  const std::string v = b.op("MatMul", {"x", b.constant(random_floats({kWidth, outputs}, seed))});
  return bias ? b.op("Add", {b.constant(random_floats({outputs}, seed + 1)), v}) : v;
}

std::string heads(PatternBuilder& b, const std::string& value, const Ints& perm) {
  const std::string split = b.op("Reshape", {value, b.constant(test::ints({0, 6, 2, 4}))});
  return b.op("Transpose", {split}, {{"perm", perm}});
}

graph::Graph attention(const Form& form) {
  PatternBuilder b({form.batch, 6, kWidth});
  std::string q_source = form.joint ? "" : project(b, 10, form.bias);
  std::string k_source = form.joint ? "" : project(b, 20, form.bias);
  if (form.joint) {
    const std::string both = project(b, 10, form.bias, 2 * kWidth);
    b.graph.add_node({"Split",
                      {both},
                      {"q", "k"},
                      {{"axis", std::int64_t{2}}, {"num_outputs", std::int64_t{2}}},
                      "split"});
    q_source = "q";
    k_source = "k";
  }
  std::string q = heads(b, q_source, {0, 2, 1, 3});
  std::string k = heads(b, k_source, {0, 2, 3, 1});
  const std::string v = heads(b, project(b, 30, form.bias), {0, 2, 1, 3});
  if (form.scale_operands) {
    q = b.op("Mul", {q, b.scalar(0.7F)});
    k = b.op("Mul", {b.scalar(0.7F), k});
  }
  std::string scores = b.op("MatMul", {q, k});
  if (!form.score_op.empty()) scores = b.op(form.score_op, {scores, b.scalar(2.0F)});
  const std::string scaled = scores;
  if (form.mask) scores = b.op("Add", {scores, b.constant(random_floats({1, 1, 6, 6}, 40))});
  const std::string weights = b.op("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
  graph::Graph graph = b.finish(b.op("MatMul", {weights, v}));
  if (form.open) graph.add_output(scaled);
  (void)infer_shapes(graph, {});
  return graph;
}

std::ptrdiff_t factors(const graph::Graph& graph) {
  return test::count_nodes(graph, "Mul") + test::count_nodes(graph, "Div");
}

TEST(MergeAttention, FactorGoesIntoTheProjection) {
  for (const bool bias : {false, true}) {
    for (const char* op : {"Div", "Mul"}) {
      Form form;
      form.bias = bias;
      form.score_op = op;
      EXPECT_EQ(factors(expect_applied(attention(form), merge_attention)), 0);
    }
  }
  Form unmasked;
  unmasked.mask = false;
  EXPECT_EQ(factors(expect_applied(attention(unmasked), merge_attention)), 0);
}

TEST(MergeAttention, FactorsOfBothOperandsAreOne) {
  Form form;
  form.scale_operands = true;
  EXPECT_EQ(factors(expect_applied(attention(form), merge_attention)), 0);
}

TEST(MergeAttention, AJointProjectionKeepsOneFactor) {
  Form form;
  form.joint = true;
  form.scale_operands = true;
  form.score_op = "";
  EXPECT_EQ(factors(expect_applied(attention(form), merge_attention)), 1);
}

TEST(MergeAttention, AFactorMovesToTheSmallerTensor) {
  // 6 x 4 numbers of q instead of 6 x 6 scores, whatever the batch.
  for (const std::int64_t batch : {1, -1}) {
    Form form;
    form.joint = true;
    form.batch = batch;
    const graph::Graph changed = expect_applied(attention(form), merge_attention);
    EXPECT_EQ(factors(changed), 1);
    EXPECT_EQ(test::count_nodes(changed, "Div"), 0);
  }
}

TEST(MergeAttention, LeavesOtherThingsAlone) {
  Form none;
  none.score_op = "";
  expect_untouched(attention(none), merge_attention);
  Form open;
  open.open = true;
  expect_untouched(attention(open), merge_attention);
}

TEST(MergeAttention, AProjectionThatIsReadElsewhereIsNotScaled) {
  graph::Graph graph = attention({});
  std::string projected;
  for (const graph::Node& node : graph.nodes()) {
    if (node.is("Reshape")) {
      projected = node.input(0);
      break;
    }
  }
  graph.add_output(projected);
  (void)infer_shapes(graph, {});
  // k's layer takes it instead.
  EXPECT_EQ(factors(expect_applied(graph, merge_attention)), 0);
}

TEST(MergeAttention, WouldChangeTheOutput) {
  // Without its factor, attention is another function.
  Form without;
  without.score_op = "";
  const graph::Graph scaled = attention({});
  const auto feeds = test::random_feeds(scaled, 2);
  EXPECT_GT(test::largest_difference(test::run_graph(scaled, feeds)[0],
                                     test::run_graph(attention(without), feeds)[0]),
            1e-2);
}

}  // namespace
}  // namespace hexquant::passes
