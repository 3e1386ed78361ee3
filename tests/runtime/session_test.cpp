#include "runtime/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "support/onnx_bytes.h"
#include "support/temp_folder.h"

namespace hexquant::runtime {
namespace {

using graph::Dim;
using graph::Graph;
using test::test_data;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Floats = std::vector<float>;

Graph empty_graph(const Shape& input_shape, DType dtype = DType::kFloat32) {
  Graph graph;
  graph.opsets[""] = 13;
  graph.info.graph_name = "hand";
  std::vector<Dim> dims;
  for (const std::int64_t dim : input_shape) {
    dims.push_back(dim < 0 ? Dim{-1, "N"} : Dim{dim, ""});
  }
  graph.add_input("x", {dtype, dims});
  return graph;
}

Tensor floats(const Shape& shape, const Floats& values) {
  return Tensor::from<float>(shape, values);
}

/// x [N,2] -> Gemm with w [2,3] and b [3] -> g -> Relu -> y.
Graph gemm_relu() {
  Graph graph = empty_graph({-1, 2});
  graph.add_initializer("w", floats({2, 3}, {1, 2, 3, 4, 5, -6}));
  graph.add_initializer("b", floats({3}, {0.5F, 0, -1}));
  graph.add_node({"Gemm", {"x", "w", "b"}, {"g"}, {}, "fc"});
  graph.add_node({"Relu", {"g"}, {"y"}});
  graph.add_output("y");
  return graph;
}

/// Deterministic values for every input of a model; free dimensions get 1.
Feeds some_feeds(const Session& session) {
  Feeds feeds;
  for (const ValueSpec& input : session.inputs()) {
    Shape shape;
    for (const Dim& dim : input.shape) shape.push_back(dim.is_fixed() ? dim.value : 1);
    Tensor tensor(input.dtype, shape);
    if (input.dtype == DType::kFloat32) {
      float angle = 0;
      for (float& value : tensor.mutable_data<float>()) value = std::sin(angle += 0.7F);
    } else {
      std::fill_n(tensor.mutable_data<std::int64_t>().begin(), tensor.size(), 1);
    }
    feeds[input.name] = tensor;
  }
  return feeds;
}

template <typename Action>
std::string error_of(ErrorCode expected, const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

// ---- values

TEST(Session, GemmByHand) {
  const Session session(gemm_relu(), {});
  const auto out = session.run({{"x", floats({2, 2}, {1, 1, 2, 0})}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].shape(), (Shape{2, 3}));
  EXPECT_THAT(out[0].data<float>(), ElementsAre(5.5F, 7, 0, 2.5F, 4, 5));
}

TEST(Session, ConvByHand) {
  Graph graph = empty_graph({1, 1, 3, 3});
  graph.add_initializer("w", floats({1, 1, 2, 2}, {1, 2, 3, 4}));
  graph.add_initializer("b", floats({1}, {0.5F}));
  graph.add_node({"Conv", {"x", "w", "b"}, {"y"}});
  graph.add_output("y");
  const auto out =
      Session(graph, {}).run({{"x", floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9})}});
  EXPECT_THAT(out[0].data<float>(), ElementsAre(37.5F, 47.5F, 67.5F, 77.5F));
}

TEST(Session, UnoptimizedGivesTheSameValues) {
  SessionOptions plain;
  plain.optimize = false;
  const Feeds feeds = {{"x", floats({1, 2}, {1, 1})}};
  EXPECT_TRUE(Session(gemm_relu(), plain).run(feeds)[0] == Session(gemm_relu(), {}).run(feeds)[0]);
}

TEST(Session, DescribesInputsAndOutputs) {
  const Session session(gemm_relu(), {}, {"g", "y"});
  ASSERT_EQ(session.inputs().size(), 1U);
  EXPECT_EQ(session.inputs()[0].name, "x");
  EXPECT_EQ(session.inputs()[0].dtype, DType::kFloat32);
  EXPECT_EQ(session.inputs()[0].shape, (std::vector<Dim>{{-1, "N"}, {2, ""}}));
  ASSERT_EQ(session.outputs().size(), 2U);
  EXPECT_EQ(session.outputs()[0].name, "g");
  EXPECT_EQ(session.outputs()[1].name, "y");
  EXPECT_EQ(session.outputs()[1].dtype, DType::kFloat32);
  EXPECT_EQ(session.outputs()[1].shape[1].value, 3);
}

TEST(Session, TypesAreKnownWithoutKernels) {
  SessionOptions types;
  types.types_only = true;
  Graph graph = gemm_relu();
  graph.set_type("g", {DType::kUndefined, std::nullopt});
  const Session session(std::move(graph), types, {"g", "x"});
  ASSERT_EQ(session.outputs().size(), 2U);
  EXPECT_EQ(session.outputs()[0].dtype, DType::kFloat32);
  EXPECT_EQ(session.outputs()[0].shape, (std::vector<Dim>{{-1, "N"}, {3, ""}}));
  EXPECT_EQ(session.outputs()[1].shape, (std::vector<Dim>{{-1, "N"}, {2, ""}}));
}

TEST(Session, GraphAndFileGiveTheSame) {
  for (const char* name : {"tiny_cnn", "tiny_external", "tiny_if", "tiny_transformer"}) {
    SCOPED_TRACE(name);
    const auto path = test_data(std::string("models/") + name + ".onnx");
    const Session from_graph(formats::read_onnx(path), {});
    const Session from_file(path, {});
    const Feeds feeds = some_feeds(from_graph);
    const auto a = from_graph.run(feeds);
    const auto b = from_file.run(feeds);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i] == b[i]) << i;
  }
}

TEST(Session, EveryTestModelRuns) {
  for (const auto& entry : std::filesystem::directory_iterator(test_data("models"))) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path().filename());
    const Session session(formats::read_onnx(entry.path()), {});
    for (const Tensor& tensor : session.run(some_feeds(session))) EXPECT_FALSE(tensor.empty());
  }
}

TEST(Session, OutputsOutliveTheSession) {
  Tensor kept;
  {
    const Session session(gemm_relu(), {});
    kept = session.run({{"x", floats({1, 2}, {1, 1})}})[0];
  }
  EXPECT_THAT(kept.data<float>(), ElementsAre(5.5F, 7, 0));
  kept.mutable_data<float>()[0] = 1;
  EXPECT_THAT(kept.data<float>(), ElementsAre(1, 7, 0));
}

TEST(Session, CanBeMoved) {
  Session first(gemm_relu(), {});
  Session second = std::move(first);
  first = std::move(second);
  EXPECT_EQ(first.run({{"x", floats({1, 2}, {1, 1})}})[0].shape(), (Shape{1, 3}));
}

// ---- taps

TEST(SessionTaps, InnerValuesInputsAndInitializers) {
  const Session session(gemm_relu(), {}, {"w", "g", "x", "y", "g"});
  const auto out = session.run({{"x", floats({1, 2}, {1, 1})}});
  ASSERT_EQ(out.size(), 5U);
  EXPECT_TRUE(out[0] == floats({2, 3}, {1, 2, 3, 4, 5, -6}));
  EXPECT_THAT(out[1].data<float>(), ElementsAre(5.5F, 7, -4));
  EXPECT_TRUE(out[2] == floats({1, 2}, {1, 1}));
  EXPECT_THAT(out[3].data<float>(), ElementsAre(5.5F, 7, 0));
  EXPECT_TRUE(out[4] == out[1]);
}

TEST(SessionTaps, LeaveTheGraphAsItWas) {
  const Graph graph = gemm_relu();
  const std::string before = formats::serialize_onnx(graph);
  const Session session(graph, {}, {"x", "w", "g"});
  EXPECT_EQ(formats::serialize_onnx(graph), before);
}

TEST(SessionTaps, WhatTheTapDoesNotNeedIsNotComputed) {
  Graph graph = gemm_relu();
  graph.add_initializer("bad", Tensor::from<std::int64_t>({1}, std::vector<std::int64_t>{7}));
  graph.add_node({"Reshape", {"y", "bad"}, {"z"}, {}, "wrong_size"});
  graph.add_output("z");
  const Feeds feeds = {{"x", floats({1, 2}, {1, 1})}};
  const std::string message =
      error_of(ErrorCode::kInvalidModel, [&] { (void)Session(graph, {}).run(feeds); });
  EXPECT_THAT(message, HasSubstr("wrong_size"));
  EXPECT_THAT(message, HasSubstr("Status Message: The input tensor cannot be reshaped"));
  EXPECT_EQ(Session(graph, {}, {"g"}).run(feeds).size(), 1U);
}

TEST(SessionTaps, ValuesThatASubgraphCaptures) {
  const Graph graph = formats::read_onnx(test_data("models/tiny_if.onnx"));
  const Session plain(graph, {});
  std::vector<std::string> wanted = {graph.outputs().front()};
  for (const auto& node : graph.nodes()) {
    if (node.is("If") || node.is("Constant")) continue;
    if (graph.is_captured(node.output())) wanted.push_back(node.output());
  }
  ASSERT_GT(wanted.size(), 1U);
  const Feeds feeds = some_feeds(plain);
  const auto out = Session(graph, {}, wanted).run(feeds);
  EXPECT_TRUE(out[0] == plain.run(feeds)[0]);
}

TEST(SessionTaps, UnknownValue) {
  EXPECT_THAT(error_of(ErrorCode::kInvalidArgument,
                       [] { const Session session(gemm_relu(), {}, {"ghost"}); }),
              HasSubstr("no value 'ghost'"));
}

// ---- weights handed over in place

TEST(SessionWeights, LargeOnesAreUsedWhereTheyLie) {
  Graph graph = empty_graph({1, 2000});
  Floats values(2000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  graph.add_initializer("w", floats({2000}, values));
  graph.add_node({"Mul", {"x", "w"}, {"y"}});
  graph.add_output("y");
  Session session(graph, {});
  graph = Graph();  // the session alone keeps the weights now
  const auto out = session.run({{"x", floats({1, 2000}, Floats(2000, 2))}});
  EXPECT_EQ(out[0].data<float>()[1999], 3998.0F);
}

TEST(SessionWeights, FourBit) {
  Graph graph = empty_graph({1}, DType::kFloat32);
  graph.opsets[""] = 21;
  const std::int64_t count = 10001;  // odd, and large enough to be handed over
  Tensor codes(DType::kInt4, {count});
  for (std::size_t i = 0; i < codes.bytes(); ++i) {
    codes.mutable_raw()[i] = static_cast<std::byte>(0x7F);  // -1, 7, -1, 7 ...
  }
  graph.add_initializer("q", codes);
  graph.add_initializer("s", floats({}, {0.5F}));
  graph.add_node({"DequantizeLinear", {"q", "s"}, {"w"}});
  graph.add_node({"Mul", {"x", "w"}, {"y"}});
  graph.add_output("y");
  const auto out = Session(graph, {}).run({{"x", floats({1}, {2})}});
  EXPECT_EQ(out[0].size(), count);
  EXPECT_EQ(out[0].data<float>()[0], -1.0F);
  EXPECT_EQ(out[0].data<float>()[1], 7.0F);
  EXPECT_EQ(out[0].data<float>()[10000], -1.0F);
}

// ---- threads

TEST(SessionThreads, ConcurrentRunsAgree) {
  const Session session(formats::read_onnx(test_data("models/tiny_cnn.onnx")), {});
  const Feeds feeds = some_feeds(session);
  const Tensor expected = session.run(feeds)[0];
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) wrong[t] += session.run(feeds)[0] == expected ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ElementsAre(0, 0, 0, 0));
}

TEST(SessionThreads, ThreadsInsideOneInference) {
  SessionOptions two;
  two.threads = 2;
  const Graph graph = formats::read_onnx(test_data("models/tiny_cnn.onnx"));
  const Session session(graph, two);
  const Tensor out = session.run(some_feeds(session))[0];
  const Tensor expected = Session(graph, {}).run(some_feeds(session))[0];
  for (std::int64_t i = 0; i < out.size(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    // Sums may be cut differently among threads: a few units in the last place of float.
    EXPECT_NEAR(out.data<float>()[index], expected.data<float>()[index], 1e-4);
  }
}

// ---- exact integers

/// QDQ convolution 1x1 over `channels` inputs; uint8 x int8 with scale 1, output scale 1024.
Graph quantized_conv(std::int64_t channels, const std::vector<std::int8_t>& weights) {
  Graph graph = empty_graph({1, channels, 4, 4}, DType::kFloat32);
  graph.add_initializer("one", floats({}, {1}));
  graph.add_initializer("wide", floats({}, {1024}));
  graph.add_initializer("zero", Tensor::scalar<std::uint8_t>(0));
  graph.add_initializer("half", Tensor::scalar<std::uint8_t>(128));
  graph.add_initializer("wzero", Tensor::scalar<std::int8_t>(0));
  const auto outputs = static_cast<std::int64_t>(weights.size()) / channels;
  graph.add_initializer("wq", Tensor::from<std::int8_t>({outputs, channels, 1, 1}, weights));
  graph.add_node({"QuantizeLinear", {"x", "one", "zero"}, {"xq"}});
  graph.add_node({"DequantizeLinear", {"xq", "one", "zero"}, {"xd"}});
  graph.add_node({"DequantizeLinear", {"wq", "one", "wzero"}, {"wd"}});
  graph.add_node({"Conv", {"xd", "wd"}, {"c"}});
  graph.add_node({"QuantizeLinear", {"c", "wide", "half"}, {"cq"}});
  graph.add_node({"DequantizeLinear", {"cq", "wide", "half"}, {"y"}});
  graph.add_output("y");
  return graph;
}

TEST(SessionIntegers, SumsThatDoNotFit16BitsAreExact) {
  // Pairs of products reach 2 * 255 * 127 = 64770, twice the 16 bits of vpmaddubsw: without
  // exact_integers, machines that have AVX2 but no VNNI return 32767 for them.
  constexpr std::int64_t kChannels = 8;
  std::vector<std::int8_t> weights;
  for (int o = 0; o < 4; ++o) {
    for (int i = 0; i < kChannels; ++i) {
      weights.push_back(static_cast<std::int8_t>(o % 2 == 0 ? 127 - i : -128 + i));
    }
  }
  const Session session(quantized_conv(kChannels, weights), {});
  const auto out = session.run({{"x", floats({1, kChannels, 4, 4}, Floats(kChannels * 16, 255))}});
  for (std::size_t o = 0; o < 4; ++o) {
    double sum = 0;
    for (std::size_t i = 0; i < kChannels; ++i) sum += 255.0 * weights[o * kChannels + i];
    const double code = std::clamp(std::nearbyint(sum / 1024) + 128, 0.0, 255.0);
    EXPECT_EQ(out[0].data<float>()[o * 16], static_cast<float>((code - 128) * 1024)) << o;
  }
}

// ---- errors

TEST(SessionErrors, Feeds) {
  const Session session(gemm_relu(), {});
  const auto run_with = [&](const Feeds& feeds) {
    return error_of(ErrorCode::kInvalidData, [&] { (void)session.run(feeds); });
  };
  EXPECT_EQ(run_with({}), "input 'x' (float32[N,2]) is not given");
  EXPECT_EQ(run_with({{"x", floats({1, 3}, {1, 1, 1})}}),
            "input 'x': given float32[1,3], expected float32[N,2]");
  EXPECT_EQ(run_with({{"x", floats({2}, {1, 1})}}),
            "input 'x': given float32[2], expected float32[N,2]");
  EXPECT_EQ(run_with({{"x", Tensor(DType::kInt64, {1, 2})}}),
            "input 'x': given int64[1,2], expected float32[N,2]");
  const Feeds extra = {{"x", floats({1, 2}, {1, 1})}, {"unused", floats({}, {1})}};
  EXPECT_EQ(session.run(extra).size(), 1U);
}

TEST(SessionErrors, OperatorThatDoesNotExist) {
  Graph graph = empty_graph({2});
  graph.add_node({"NoSuchOp", {"x"}, {"y"}, {}, "strange"});
  graph.add_output("y");
  const std::string message =
      error_of(ErrorCode::kInvalidModel, [&] { const Session session(graph, {}); });
  EXPECT_THAT(message, HasSubstr("model 'hand': ONNX Runtime cannot load it"));
  EXPECT_THAT(message, HasSubstr("NoSuchOp"));
}

TEST(SessionErrors, StringsAndSequences) {
  Graph words = empty_graph({1}, DType::kString);
  words.add_node({"StringNormalizer", {"x"}, {"y"}});
  words.add_output("y");
  const Session strings(words, {});
  EXPECT_THAT(error_of(ErrorCode::kUnsupported,
                       [&] {
                         (void)strings.run({{"x", Tensor(DType::kString, {1})}});
                       }),
              HasSubstr("input 'x' takes strings"));
  Graph list = empty_graph({2});
  list.add_node({"SequenceConstruct", {"x"}, {"y"}});
  list.add_output("y");
  EXPECT_THAT(error_of(ErrorCode::kUnsupported,
                       [&] {
                         (void)Session(list, {}).run({{"x", floats({2}, {1, 2})}});
                       }),
              HasSubstr("output 'y' is no tensor"));
}

TEST(SessionErrors, Files) {
  const test::TempFolder folder;
  EXPECT_THAT(
      error_of(ErrorCode::kIo, [&] { const Session session(folder.path() / "none.onnx", {}); }),
      HasSubstr("none.onnx"));
}

TEST(Runtime, Version) {
  EXPECT_THAT(runtime_version(), HasSubstr("."));
}

}  // namespace
}  // namespace hexquant::runtime
