#include "profiling/node_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/format.h"
#include "profiling/profile_testing.h"

namespace hexquant::profiling {
namespace {

using test::profile_bytes;
using test::row_named;
using testing::HasSubstr;

std::string found(std::string_view line) {
  const auto match = match_node_line(line);
  return match ? format("{} {}", match->name, match->time_us) : "-";
}

TEST(NodeLines, PatternOfTheArticle) {
  EXPECT_EQ(found("Node conv1 HTP execute time: 123.4 us"), "conv1 123.4");
  EXPECT_EQ(found("[12] Node\ta/b  execute5us"), "a/b 5");
  // Greedy `.*`: the last "execute" that a time follows; lazy `.*?`: the first time behind it.
  EXPECT_EQ(found("Node a execute 1 us execute 2 us 3 us execute"), "a 2");
  EXPECT_EQ(found("Node a execute 12. us"), "a 12");
  EXPECT_EQ(found("Node a execute 1.2.3 us"), "a 2.3");
  EXPECT_EQ(found("Node a execute 7 users"), "a 7");
  EXPECT_EQ(found("Node execute 5 us"), "-");  // the name takes "execute"
  EXPECT_EQ(found("Node a executes in 5 ms"), "-");
  EXPECT_EQ(found("Nodea b execute 5 us"), "-");
  EXPECT_EQ(found(""), "-");
}

TEST(NodeLines, AgreesWithPythonOnRandomLines) {
  int matches = 0;
  const std::string cases = profile_bytes("pattern_cases.txt");
  each_line(cases, [&](std::string_view line, std::int64_t number) {
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    ASSERT_NE(second, std::string_view::npos);
    const auto match = match_node_line(line.substr(second + 1));
    ASSERT_EQ(match.has_value(), first > 0) << "case " << number << ": " << line;
    if (!match) return;
    ++matches;
    EXPECT_EQ(match->name, line.substr(0, first)) << "case " << number;
    EXPECT_EQ(match->time_us, std::stod(std::string(line.substr(first + 1, second - first - 1))))
        << "case " << number;
  });
  EXPECT_GT(matches, 100);
}

TEST(NodeLines, MeansOfTheArticleAndMalformedLines) {
  const ProfileTable table = read_node_lines(profile_bytes("article.log"), "article.log");
  EXPECT_EQ(table.lines, 13);
  ASSERT_EQ(table.rows.size(), 5U);
  EXPECT_DOUBLE_EQ(row_named(table, "conv1").amount, 124.4);
  EXPECT_EQ(row_named(table, "conv1").value.count, 2);
  EXPECT_DOUBLE_EQ(row_named(table, "conv1").value.min, 123.4);
  EXPECT_DOUBLE_EQ(row_named(table, "conv1").value.max, 125.4);
  EXPECT_DOUBLE_EQ(row_named(table, "softmax").amount, 9.0);
  EXPECT_EQ(row_named(table, "pick").backend, "CPU");
  EXPECT_EQ(row_named(table, "pick").text, "Node pick CPU execute time: 410.25 us");
  EXPECT_EQ(row_named(table, "conv2").backend, "HTP");
  EXPECT_DOUBLE_EQ(table.sum(), 124.4 + 200.5 + 13.0 + 410.0 + 9.0);
  EXPECT_TRUE(table.is_time);
  EXPECT_TRUE(table.may_be_summed);
  EXPECT_EQ(table.malformed_count, 1);
  ASSERT_EQ(table.malformed.size(), 1U);
  EXPECT_EQ(table.malformed[0].line, 12);
  EXPECT_THAT(table.malformed[0].text, HasSubstr("broken"));
  EXPECT_TRUE(test::has_finding(table, "parallel-operations"));
}

TEST(NodeLines, DeviceIsReadOutsideTheName) {
  const ProfileTable table =
      read_node_lines("Node CPU_helper HTP execute time: 4 us\nop on CPU: execute failed\n", "x");
  EXPECT_EQ(row_named(table, "CPU_helper").backend, "HTP");
  const ProfileRow lost = row_named(table, "op on CPU: execute failed");
  EXPECT_EQ(lost.backend, "CPU");
  EXPECT_EQ(lost.value.count, 0);
}

TEST(NodeLines, LongLineOfNearMatchesIsLinear) {
  std::string line;
  for (int i = 0; i < 200'000; ++i) line += "Node a execute us ";
  EXPECT_EQ(found(line), "-");
}

}  // namespace
}  // namespace hexquant::profiling
