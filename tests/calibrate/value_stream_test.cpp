#include "calibrate/value_stream.h"

#include <gtest/gtest.h>

#include <mutex>

#include "hexquant/error.h"
#include "support/graph_builder.h"
#include "support/memory_dataset.h"

namespace hexquant::calibrate {
namespace {

using graph::Graph;

/// x -> Relu -> a -> Neg -> b; Add(a, b) -> c; Mul(c, k) -> y.
Graph chain(float factor) {
  return test::GraphBuilder()
      .input("x", {1, 2})
      .scalar("k", factor)
      .node("Relu", {"x"}, {"a"}, {1, 2})
      .node("Abs", {"a"}, {"b"}, {1, 2})
      .node("Add", {"a", "b"}, {"c"}, {1, 2})
      .node("Mul", {"c", "k"}, {"y"}, {1, 2})
      .output("y")
      .graph();
}

std::vector<std::vector<float>> read_all(const ValueStream& stream, const Graph& graph,
                                         const std::string& value) {
  std::vector<std::vector<float>> rows(static_cast<std::size_t>(stream.samples()));
  const ValueStream::Reader reader(stream, graph, {value});
  reader.read(0, stream.samples(), [&](std::int64_t sample, const std::vector<Tensor>& values) {
    const auto data = values.front().data<float>();
    rows[static_cast<std::size_t>(sample)].assign(data.begin(), data.end());
  });
  return rows;
}

const std::vector<std::vector<float>> kRows = {{1, -2}, {3, 4}, {-5, 6}};

TEST(ValueStream, ReadsAnyValueAheadWithoutMoving) {
  const auto dataset = test::float_rows("x", kRows);
  const ValueStream stream(dataset, 3, 2);
  EXPECT_EQ(read_all(stream, chain(1), "x"), kRows);
  EXPECT_EQ(read_all(stream, chain(1), "y"),
            (std::vector<std::vector<float>>{{2, 0}, {6, 8}, {0, 12}}));
}

TEST(ValueStream, WhatLiesBehindTheCutMayChange) {
  const auto dataset = test::float_rows("x", kRows);
  ValueStream stream(dataset, 3, 1);
  stream.advance(chain(1), {"a"});
  stream.advance(chain(1), {"c"});
  EXPECT_EQ(read_all(stream, chain(10), "y"),
            (std::vector<std::vector<float>>{{20, 0}, {60, 80}, {0, 120}}));
  EXPECT_EQ(stream.held_bytes(), 3 * 2 * 4) << "only the values at the cut are held";
}

TEST(ValueStream, UsesNoMoreSamplesThanThereAre) {
  const auto dataset = test::float_rows("x", kRows);
  EXPECT_EQ(ValueStream(dataset, 2, 1).samples(), 2);
  EXPECT_EQ(ValueStream(dataset, 9, 1).samples(), 3);
}

TEST(ValueStream, NamesAValueThatIsGone) {
  const auto dataset = test::float_rows("x", kRows);
  ValueStream stream(dataset, 3, 1);
  stream.advance(chain(1), {"c"});
  try {
    stream.advance(chain(1), {"b"});
    FAIL() << "b lies before the cut";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'x'"), std::string::npos) << error.what();
  }
}

TEST(ValueStream, SamplesOfSeveralShapes) {
  std::vector<data::Sample> samples;
  for (const std::int64_t rows : {1, 3}) {
    samples.push_back({{"x", Tensor(DType::kFloat32, {rows, 2})}});
  }
  const test::MemoryDataset dataset(std::move(samples));
  Graph graph;
  graph.opsets[""] = 21;
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{-1, "N"}, {2, ""}}});
  graph.add_node({"Relu", {"x"}, {"y"}, {}, "relu", ""});
  graph.add_output("y");
  ValueStream stream(dataset, 2, 1);
  stream.advance(graph, {"y"});
  EXPECT_EQ(stream.held_bytes(), (1 + 3) * 2 * 4);
}

}  // namespace
}  // namespace hexquant::calibrate
