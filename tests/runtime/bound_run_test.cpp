#include "runtime/bound_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "hexquant/error.h"

namespace hexquant::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// y = relu(x) + x, z = x * x, both [1,4]
graph::Graph two_outputs(std::int64_t rows = 1) {
  graph::Graph graph;
  graph.opsets[""] = 13;
  graph.info.graph_name = "hand";
  const graph::Dim batch = rows < 0 ? graph::Dim{-1, "N"} : graph::Dim{rows, ""};
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{batch, {4, ""}}});
  graph.add_node({"Relu", {"x"}, {"r"}});
  graph.add_node({"Add", {"r", "x"}, {"y"}});
  graph.add_node({"Mul", {"x", "x"}, {"z"}});
  graph.add_output("y");
  graph.add_output("z");
  return graph;
}

std::span<std::byte> bytes_of(std::vector<float>& values) {
  return std::as_writable_bytes(std::span<float>(values));
}

/// No copy: what the application writes into its memory is what the model reads, and the outputs
/// appear in the application's memory, without any call that hands over values.
TEST(BoundRun, ReadsAndWritesWhereTheApplicationSays) {
  const Session session(two_outputs(), {});
  std::vector<float> x = {1, -2, 3, -4};
  std::vector<float> y(4, 99.0F);
  std::vector<float> z(4, 99.0F);
  BoundRun bound(session, {{"x", bytes_of(x)}}, {{"y", bytes_of(y)}, {"z", bytes_of(z)}});
  EXPECT_THAT(y, ElementsAre(99, 99, 99, 99));
  bound.run();
  EXPECT_THAT(y, ElementsAre(2, -2, 6, -4));
  EXPECT_THAT(z, ElementsAre(1, 4, 9, 16));
  x[0] = 10.0F;
  bound.run();
  EXPECT_THAT(y, ElementsAre(20, -2, 6, -4));
  EXPECT_THAT(z, ElementsAre(100, 4, 9, 16));
}

TEST(BoundRun, RefusesPlacesThatDoNotFit) {
  const Session session(two_outputs(), {});
  std::vector<float> x(4);
  std::vector<float> y(4);
  std::vector<float> small(3);
  const auto error_of = [&](const Places& inputs, const Places& outputs) -> std::string {
    try {
      const BoundRun bound(session, inputs, outputs);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(error_of({}, {}), HasSubstr("input 'x': a place of 16 bytes expected, none given"));
  EXPECT_THAT(error_of({{"x", bytes_of(x)}}, {{"y", bytes_of(y)}, {"z", bytes_of(small)}}),
              HasSubstr("output 'z': a place of 16 bytes expected, 12 given"));
}

TEST(BoundRun, NeedsFixedShapes) {
  const Session session(two_outputs(-1), {});
  try {
    (void)value_bytes(session.inputs().front());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("'x' has a free dimension 'N'"));
  }
}

}  // namespace
}  // namespace hexquant::runtime
