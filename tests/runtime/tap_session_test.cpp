#include "runtime/tap_session.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "runtime/optimized_graph.h"
#include "support/temp_folder.h"

namespace hexquant::runtime {
namespace {

using graph::Graph;

/// Seeded feeds for a model's inputs, free dimensions `batch`.
Feeds random_feeds(const Session& session, std::int64_t batch) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Feeds feeds;
  for (const ValueSpec& input : session.inputs()) {
    Shape shape;
    for (const graph::Dim& dim : input.shape) shape.push_back(dim.is_fixed() ? dim.value : batch);
    Tensor tensor(input.dtype, shape);
    if (input.dtype == DType::kFloat32) {
      for (float& value : tensor.mutable_data<float>()) value = normal(random);
    } else if (input.dtype == DType::kInt64) {
      for (std::int64_t& value : tensor.mutable_data<std::int64_t>()) value = random() % 2;
    }
    feeds[input.name] = tensor;
  }
  return feeds;
}

/// All values of the graph that are float32 tensors, inputs and initializers included.
std::vector<std::string> float_values(const Graph& graph, const Feeds& feeds) {
  std::vector<std::string> names = graph.inputs();
  for (const graph::Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) {
      if (!output.empty()) names.push_back(output);
    }
  }
  const std::vector<Tensor> values = Session(graph, {}, names).run(feeds);
  std::vector<std::string> floats;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (values[i].dtype() == DType::kFloat32) floats.push_back(names[i]);
  }
  for (const auto& [name, tensor] : graph.initializers()) {
    if (tensor.dtype() == DType::kFloat32) floats.push_back(name);
  }
  return floats;
}

class TapSessionModels : public testing::TestWithParam<const char*> {};

/// The point of it all: whatever way a value takes to the consumer, its bits are those of a plain
/// output of the same graph.
TEST_P(TapSessionModels, ShowsWhatPlainOutputsHold) {
  const Graph graph = formats::read_onnx(test::test_data(std::string("models/") + GetParam()));
  for (const std::int64_t batch : {1, 3}) {
    if (batch == 3 && std::string(GetParam()) == "tiny_if.onnx") continue;  // fixed batch
    const Feeds feeds = random_feeds(Session(graph, {}), batch);
    const std::vector<std::string> names = float_values(graph, feeds);
    const std::vector<Tensor> expected = Session(graph, {}, names).run(feeds);
    const TapSession session(graph, names);
    EXPECT_TRUE(session.reads_in_place());
    std::vector<int> seen(names.size());
    session.run(feeds, [&](const TapView& view) {
      ++seen.at(view.index);
      const Tensor& output = expected[view.index];
      ASSERT_EQ(view.dtype, DType::kFloat32);
      ASSERT_EQ(view.shape, output.shape()) << names[view.index];
      const std::vector<float> got = to_row_major(view);
      EXPECT_EQ(std::memcmp(got.data(), output.raw(), output.bytes()), 0) << names[view.index];
    });
    EXPECT_EQ(seen, std::vector<int>(names.size(), 1));
  }
}

INSTANTIATE_TEST_SUITE_P(, TapSessionModels,
                         testing::Values("tiny_cnn.onnx", "tiny_external.onnx", "tiny_if.onnx",
                                         "tiny_llama.onnx", "tiny_opset21.onnx", "tiny_opset7.onnx",
                                         "tiny_pad.onnx", "tiny_transformer.onnx"));

Graph add_graph() {
  Graph graph;
  graph.opsets[""] = 13;
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{-1, "n"}}});
  graph.add_initializer("one", Tensor::scalar<float>(1.0F));
  graph.add_node({"Add", {"x", "one"}, {"y"}, {}, "add"});
  graph.add_node({"Add", {"y", "one"}, {"z"}, {}, "again"});
  graph.set_type("z", {DType::kFloat32, std::nullopt});
  graph.add_output("z");
  return graph;
}

Feeds feed(float value) {
  return {{"x", Tensor::from<float>({1}, std::vector<float>{value})}};
}

TEST(TapSession, RunsFromSeveralThreads) {
  const TapSession session(add_graph(), {"z", "y", "x"});
  parallel_for(64, 4, [&](std::int64_t i) {
    std::map<std::size_t, float> seen;
    session.run(feed(static_cast<float>(i)),
                [&](const TapView& view) { seen[view.index] = *view.floats(); });
    const auto x = static_cast<float>(i);
    EXPECT_EQ(seen, (std::map<std::size_t, float>{{0, x + 2}, {1, x + 1}, {2, x}}));
  });
}

TEST(TapSession, RunsTheSameValuesInTheSameOrder) {
  const TapSession session(add_graph(), {"z", "y"});
  std::vector<std::size_t> order;
  session.run(feed(1), [&](const TapView& view) { order.push_back(view.index); });
  EXPECT_EQ(order, (std::vector<std::size_t>{1, 0}));  // each right after its producer
}

TEST(TapSession, ThrowsOnWhatTheConsumerThrows) {
  const TapSession session(add_graph(), {"y", "z"});
  int calls = 0;
  try {
    session.run(feed(1), [&](const TapView&) {
      ++calls;
      throw Error(ErrorCode::kCancelled, "enough");
    });
    FAIL() << "nothing thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
    EXPECT_STREQ(error.what(), "enough");
  }
  EXPECT_EQ(calls, 1);
  session.run(feed(1), [&](const TapView&) { ++calls; });  // still usable
  EXPECT_EQ(calls, 3);
}

TEST(TapSession, InputsAndInitializersNeedNoInference) {
  const TapSession session(add_graph(), {"x", "one"});
  std::set<float> seen;
  session.run(feed(5), [&](const TapView& view) { seen.insert(*view.floats()); });
  EXPECT_EQ(seen, (std::set<float>{1, 5}));
}

TEST(TapSession, NamesUnknownValuesAndMissingFeeds) {
  EXPECT_THROW(TapSession(add_graph(), {"nowhere"}), Error);
  const TapSession session(add_graph(), {"x", "y"});
  EXPECT_THROW(session.run({}, [](const TapView&) {}), Error);
}

TEST(ChannelBlock, IsAPowerOfTwo) {
  const std::int64_t block = channel_block();
  EXPECT_GE(block, 1);
  EXPECT_EQ(block & (block - 1), 0);
}

}  // namespace
}  // namespace hexquant::runtime
