#include "core/nearest_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hexquant {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(EditDistance, CountsEditsUpToTheLimit) {
  EXPECT_EQ(edit_distance("kitten", "sitting", 10), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting", 3), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting", 2), 3U);  // limit + 1
  EXPECT_EQ(edit_distance("", "abc", 10), 3U);
  EXPECT_EQ(edit_distance("abc", "abc", 0), 0U);
  EXPECT_EQ(edit_distance("abc", "abd", 0), 1U);
  EXPECT_EQ(edit_distance("abcdef", "xabcdef", 1), 1U);
}

/// The whole table, to compare with.
std::size_t slow_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
    }
  }
  return d[a.size()][b.size()];
}

TEST(EditDistance, IsTheWholeTablesWhateverTheLimit) {
  unsigned state = 1;
  const auto random = [&] { return (state = state * 1103515245U + 12345U) >> 16U; };
  for (int round = 0; round < 500; ++round) {
    std::string a(random() % 12, 'a');
    std::string b(random() % 12, 'a');
    for (char& c : a) c = static_cast<char>('a' + random() % 3);
    for (char& c : b) c = static_cast<char>('a' + random() % 3);
    const std::size_t exact = slow_distance(a, b);
    for (std::size_t limit = 0; limit < 13; ++limit) {
      EXPECT_EQ(edit_distance(a, b, limit), std::min(exact, limit + 1)) << a << " " << b;
    }
  }
}

TEST(NameIndex, PunctuationFirstThenEdits) {
  const std::vector<std::string> names = {"/conv1/Conv_output_0", "conv2_out", "conv3_out", "x"};
  NameIndex index(names);
  EXPECT_THAT(index.nearest("_conv1_Conv_output_0", 3), ElementsAre("/conv1/Conv_output_0"));
  EXPECT_THAT(index.nearest("conv2_outt", 3), ElementsAre("conv2_out", "conv3_out"));
  EXPECT_THAT(index.nearest("conv2_outt", 1), ElementsAre("conv2_out"));
  EXPECT_THAT(index.nearest("something_else", 3), IsEmpty());
}

TEST(NameIndex, ManyUnknownNamesStayCheap) {
  std::vector<std::string> names;
  for (int i = 0; i < 5000; ++i) names.push_back("/model/layers/block/output_" + std::to_string(i));
  NameIndex index(names);
  // Without a bound: 25 million distances of some 900 cells each.
  for (int i = 0; i < 5000; ++i) {
    (void)index.nearest("/module/layers/block/outputs_" + std::to_string(i), 3);
  }
  EXPECT_THAT(index.nearest("model_layers_block_output_77", 3),
              ElementsAre("/model/layers/block/output_77"));
}

}  // namespace
}  // namespace hexquant
