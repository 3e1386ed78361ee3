#include "profiling/viewer_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profiling/profile_testing.h"
#include "profiling/viewer_line.h"

namespace hexquant::profiling {
namespace {

using test::has_finding;
using test::profile_bytes;
using test::row_named;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ViewerLine, LabelValueUnit) {
  const auto plain = parse_value_line("    NetRun:  2952 us");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->label, "NetRun");
  EXPECT_EQ(plain->value, 2952.0);
  EXPECT_EQ(plain->unit, "us");
  EXPECT_EQ(plain->indent, 4U);
  EXPECT_EQ(parse_value_line("Backend (RPC (execute) time): 20 us")->label, "RPC (execute) time");
  const auto diagview = parse_value_line("  0: a:OpId_2 (cycles) : 7 cycles : DSP");
  ASSERT_TRUE(diagview);
  EXPECT_EQ(diagview->backend, "DSP");
  EXPECT_EQ(operation_name(diagview->label), "a");
  EXPECT_EQ(operation_name("Input OpId_2 (cycles)"), "Input");
  EXPECT_EQ(operation_name("OpId_0 (cycles)"), "OpId_0");
  EXPECT_EQ(operation_name("a:OpId_x (cycles)"), "a:OpId_x");
  EXPECT_EQ(operation_name("1: (cycles)"), "(cycles)");
  EXPECT_EQ(operation_name(":OpId_2 (cycles)"), ":OpId_2");
  for (const char* line : {"", ":", "a: us", "a: x us", "a: -4 us", "a: 4 miles", ": 4 us",
                           "a: 1e999 us", "Init Stats:"}) {
    EXPECT_FALSE(parse_value_line(line)) << line;
  }
}

TEST(ViewerText, BasicLevelHasTotalsOnly) {
  const ProfileTable table = read_viewer_text(profile_bytes("viewer_basic.txt"), "basic");
  EXPECT_THAT(table.rows, IsEmpty());
  EXPECT_THAT(table.findings, IsEmpty());
  EXPECT_EQ(table.malformed_count, 0);
  EXPECT_EQ(table.total("init", "NetRun"), 210000.0);
  EXPECT_EQ(table.total("compose graphs", "NetRun"), 40000.0);
  EXPECT_EQ(table.total("finalize", "QNN (finalize) time"), 119000.0);
  EXPECT_EQ(table.total("de-init", "NetRun"), 8000.0);
  EXPECT_EQ(table.total("execute", "NetRun"), 1500.0);
  EXPECT_EQ(table.total("execute", "Accelerator (execute) time"), 900.0);
  EXPECT_EQ(table.total("overall", "NetRun IPS"), 600.5);
  EXPECT_EQ(table.totals.back().section, "execute");
  EXPECT_EQ(table.totals.back().graph, "digits");
}

TEST(ViewerText, AverageCountsMinAndMaxBound) {
  const ProfileTable table = read_viewer_text(profile_bytes("viewer_detailed.txt"), "detailed");
  ASSERT_EQ(table.rows.size(), 4U);
  const ProfileRow stem = row_named(table, "digits_stem_Conv_2d");
  EXPECT_EQ(stem.amount, 300000.0);
  EXPECT_EQ(stem.value.min, 290000.0);
  EXPECT_EQ(stem.value.max, 330000.0);
  EXPECT_EQ(stem.graph, "digits");
  EXPECT_EQ(row_named(table, "OpId_0").amount, 200000.0);
  EXPECT_EQ(table.sum(), 600000.0);
  EXPECT_FALSE(table.is_time);
  EXPECT_FALSE(table.may_be_summed);
  EXPECT_TRUE(has_finding(table, "cycles-not-time"));
  EXPECT_EQ(table.malformed_count, 1);
  EXPECT_EQ(table.malformed.at(0).line, 12);
}

TEST(ViewerText, LintingAddsWaitsOverlapAndUnits) {
  const ProfileTable table = read_viewer_text(profile_bytes("viewer_linting.txt"), "linting");
  EXPECT_EQ(table.malformed_count, 0);
  ASSERT_EQ(table.rows.size(), 3U);
  const ProfileRow conv = row_named(table, "digits_conv");
  EXPECT_EQ(conv.value.count, 2);
  EXPECT_EQ(conv.amount, 290000.0);
  EXPECT_EQ(conv.wait.mean(), 40.0);
  EXPECT_EQ(conv.overlap.mean(), 110000.0);
  EXPECT_EQ(conv.overlap_wait.mean(), 20.0);
  EXPECT_THAT(conv.overlaps_with, ElementsAre("digits_pool", "Output"));
  EXPECT_THAT(conv.resources, ElementsAre("HVX", "HMX", "DMA"));
  EXPECT_THAT(row_named(table, "Input").resources, IsEmpty());
  EXPECT_EQ(table.total("execute", "Accelerator (critical path execute) time (cycles)"), 390000.0);
  // 290000 + 200000 of a critical path of 390000
  EXPECT_THAT(table.findings.at(0).reason, HasSubstr("1.26 times the critical path of 390000"));
}

TEST(ViewerText, DiagviewNamesWhereALayerRan) {
  const ProfileTable table = read_viewer_text(profile_bytes("diagview.txt"), "diagview");
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(row_named(table, "digits_conv").backend, "HTP");
  EXPECT_EQ(row_named(table, "digits_hardmax").backend, "CPU");
  EXPECT_EQ(table.total("execute", "HTP Subnet 0"), 700000.0);
  EXPECT_EQ(table.malformed_count, 0);
}

}  // namespace
}  // namespace hexquant::profiling
