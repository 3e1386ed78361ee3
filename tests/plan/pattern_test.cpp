#include "plan/pattern.h"

#include <gtest/gtest.h>

#include "support/graph_builder.h"

namespace hexquant::plan {
namespace {

TEST(Pattern, StarStandsForAnyRun) {
  EXPECT_TRUE(glob_match("abc", "abc"));
  EXPECT_FALSE(glob_match("abc", "abcd"));
  EXPECT_FALSE(glob_match("abcd", "abc"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("a*c", "ac"));
  EXPECT_TRUE(glob_match("a*c", "abbbc"));
  EXPECT_FALSE(glob_match("a*c", "abbbd"));
  EXPECT_TRUE(glob_match("*layer.1*conv", "net/layer.1/x/conv"));
  EXPECT_TRUE(glob_match("a**b", "a/b"));
  EXPECT_TRUE(glob_match("*ab", "aab")) << "needs a second try of the star";
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match("", ""));
}

TEST(Pattern, OpPrefixMeansTheType) {
  test::GraphBuilder b;
  b.input("x", {1}).node("Relu", {"x"}, {"op:Conv"}, {1});
  const graph::Node& node = b.graph().nodes().front();
  EXPECT_TRUE(matches_node("op:Relu", node));
  EXPECT_FALSE(matches_node("op:Rel*", node));
  EXPECT_FALSE(matches_node("op:Conv", node)) << "never a name";
}

}  // namespace
}  // namespace hexquant::plan
