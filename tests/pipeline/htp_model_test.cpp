#include "pipeline/htp_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hexquant/error.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

graph::Graph inputs(const std::vector<std::pair<std::string, std::vector<graph::Dim>>>& shapes) {
  graph::Graph graph;
  for (const auto& [name, shape] : shapes) graph.add_input(name, {DType::kFloat32, shape});
  return graph;
}

TEST(FixDimensions, GivesOneToTheBatchWhereverItStands) {
  graph::Graph graph = inputs({{"x", {{-1, "N"}, {3, ""}}}, {"state", {{2, ""}, {-1, "N"}}}});
  fix_dimensions(graph, {});
  EXPECT_EQ(graph.find_type("x")->fixed_shape(), (Shape{1, 3}));
  EXPECT_EQ(graph.find_type("state")->fixed_shape(), (Shape{2, 1}));
}

TEST(FixDimensions, TakesTheShapesThatAreGiven) {
  graph::Graph graph = inputs({{"x", {{-1, "N"}, {-1, "W"}}}});
  fix_dimensions(graph, {{"x", {4, 7}}});
  EXPECT_EQ(graph.find_type("x")->fixed_shape(), (Shape{4, 7}));
}

TEST(FixDimensions, NamesTheDimensionThatItCannotGuess) {
  graph::Graph graph = inputs({{"x", {{-1, "N"}, {-1, "W"}}}});
  try {
    fix_dimensions(graph, {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("input 'x': dimension 1 is free"));
    EXPECT_THAT(error.what(), HasSubstr("--input-shape x=D0,D1"));
  }
}

TEST(HtpOptions, AsksForWhatTheChipHas) {
  Findings findings;
  HtpRequest request;
  const target::Soc soc = target::load_target("SM8650").soc;
  EXPECT_EQ(htp_options(request, soc, findings).vtcm_mb, 8);
  EXPECT_EQ(htp_options(request, soc, findings).soc_model, 57);
  request.vtcm_mb = 2;
  EXPECT_EQ(htp_options(request, soc, findings).vtcm_mb, 2);
  EXPECT_THAT(findings, IsEmpty());
  request.vtcm_mb = 16;
  EXPECT_EQ(htp_options(request, soc, findings).vtcm_mb, 8);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].id, "vtcm-clamped");
}

TEST(HtpOptions, KnowsThatTheOldestVersionHasNoFloat) {
  Findings findings;
  EXPECT_FALSE(htp_options({}, target::load_target("SM8350").soc, findings).float16);
  EXPECT_TRUE(htp_options({}, target::load_target("SM8450").soc, findings).float16);
}

}  // namespace
}  // namespace hexquant::pipeline
