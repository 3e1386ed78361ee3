#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profiling/chrome_trace.h"
#include "profiling/ort_trace.h"
#include "profiling/profile_testing.h"
#include "profiling/qhas.h"

namespace hexquant::profiling {
namespace {

using test::has_finding;
using test::profile_bytes;
using test::row_named;
using testing::ElementsAre;

/// A kernel event as ONNX Runtime writes it.
std::string kernel(const std::string& name, int duration_us, const std::string& provider) {
  return R"({"cat" : "Node","dur" :)" + std::to_string(duration_us) + R"(,"name" :")" + name +
         R"(_kernel_time","args" : {"sub": {"x": [1, {"y": "}"}]}, "op_name" : "Conv","provider" : ")" +
         provider + R"("}},)";
}

std::string run(int duration_us) {
  return R"({"cat" : "Session","dur" :)" + std::to_string(duration_us) +
         R"(,"name" :"model_run","args" : {}},)";
}

TEST(OrtTrace, AmountsAreOfOneRun) {
  const std::string json = "[\n" + kernel("a", 10, "CPUExecutionProvider") +
                           kernel("loop", 4, "qnn") + kernel("loop", 6, "qnn") + run(25) +
                           kernel("a", 20, "CPUExecutionProvider") + kernel("loop", 5, "qnn") +
                           kernel("loop", 5, "qnn") + run(35) + "{\"cat\": \"Api\"}]\n";
  const ProfileTable table = read_ort_trace(json, "t.json");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(row_named(table, "a").amount, 15.0);
  EXPECT_EQ(row_named(table, "a").backend, "CPU");
  EXPECT_EQ(row_named(table, "a").op, "Conv");
  EXPECT_EQ(row_named(table, "loop").amount, 10.0);  // twice in each run
  EXPECT_EQ(row_named(table, "loop").value.count, 4);
  EXPECT_EQ(row_named(table, "loop").backend, "qnn");
  EXPECT_EQ(table.total("session", "model_run"), 30.0);
  EXPECT_TRUE(table.may_be_summed);
  EXPECT_EQ(table.malformed_count, 0);
}

TEST(OrtTrace, KernelsLongerThanTheRunOverlap) {
  const ProfileTable table = read_ort_trace(
      "[" + kernel("a", 80, "CPU") + kernel("b", 90, "CPU") + run(100) + "{}]", "t.json");
  EXPECT_FALSE(table.may_be_summed);
  EXPECT_TRUE(has_finding(table, "parallel-operations"));
}

TEST(OrtTrace, BrokenOffFileKeepsWhatStandsBefore) {
  const std::string whole = "[" + kernel("a", 10, "CPU") + run(12) + kernel("b", 10, "CPU");
  const ProfileTable table = read_ort_trace(whole.substr(0, whole.size() - 30), "t.json");
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.rows[0].name, "a");
  EXPECT_EQ(table.malformed_count, 1);
  const ProfileTable without =
      read_ort_trace(R"([{"cat":"Node","name":"x_kernel_time","dur":"?"}])", "t.json");
  EXPECT_EQ(without.malformed_count, 1);
}

TEST(OrtTrace, RealTraceOfAModelWithACpuNode) {
  const ProfileTable table = read_ort_trace(profile_bytes("fallback/ort_htp.json"), "t.json");
  ASSERT_EQ(table.rows.size(), 5U);
  EXPECT_EQ(row_named(table, "pick").backend, "CPU");
  EXPECT_EQ(row_named(table, "pick").op, "Hardmax");
  EXPECT_EQ(row_named(table, "pick").value.count, 3);
  EXPECT_EQ(row_named(table, "qnn_qnn_6424225938512288789_2_0").backend, "qnn");
  EXPECT_EQ(row_named(table, "qnn_qnn_6424225938512288789_2_0").op, "(compiled part)");
  EXPECT_TRUE(table.may_be_summed);
  EXPECT_EQ(table.malformed_count, 0);
}

TEST(ChromeTrace, DominantPathOfEachOperationOnce) {
  const ProfileTable table = read_chrome_trace(profile_bytes("chrometrace.json"), "c.json");
  ASSERT_EQ(table.rows.size(), 2U);
  const ProfileRow conv = row_named(table, "conv1");
  EXPECT_EQ(conv.op, "Conv2d");
  EXPECT_EQ(conv.value.total, 1000.0);  // 600 on HMX + 400 by DMA; the repeated track left out
  EXPECT_EQ(conv.amount, 600.0);        // 500 + 100 on the dominant path
  EXPECT_THAT(conv.resources, ElementsAre("HMX", "DMA"));
  EXPECT_EQ(row_named(table, "pool").amount, 400.0);
  EXPECT_EQ(table.total("execute", "timeline"), 1100.0);  // 900 .. 2000
  EXPECT_TRUE(table.may_be_summed);
  EXPECT_FALSE(table.is_time);
  EXPECT_EQ(table.malformed_count, 1);
  EXPECT_TRUE(has_finding(table, "cycles-not-time"));
}

TEST(ChromeTrace, BusyCyclesAreNoSum) {
  const ProfileTable table = read_chrome_trace(
      R"({"traceEvents":[{"ph":"X","ts":0,"dur":"7","args":{"QNN Op Name":"a"}},
                         {"ph":"X","ts":3,"dur":5,"args":{"QNN Op Name":"a"}}]})",
      "c.json");
  EXPECT_EQ(row_named(table, "a").amount, 12.0);
  EXPECT_FALSE(table.may_be_summed);
}

TEST(Qhas, OperationsResourcesAndSummary) {
  const ProfileTable table = read_qhas(profile_bytes("qhas.json"), "q.json");
  ASSERT_EQ(table.rows.size(), 2U);
  const ProfileRow conv = row_named(table, "conv1");
  EXPECT_EQ(conv.op, "Conv2d");
  EXPECT_EQ(conv.value.total, 300000.0);
  EXPECT_EQ(conv.amount, 200000.0);
  EXPECT_EQ(conv.dram_read_bytes, 900000);
  EXPECT_EQ(table.sum(), 350000.0);  // the dominant path is the time-line
  EXPECT_EQ(table.total("summary", "time_us"), 250.0);
  EXPECT_EQ(table.total("summary", "timeline_cycles"), 350000.0);
  ASSERT_EQ(table.units.size(), 2U);
  EXPECT_EQ(table.units[1].name, "HVX");
  EXPECT_EQ(table.units[1].amount, 105000.0);
  EXPECT_TRUE(table.units_overlap);
  EXPECT_EQ(table.malformed_count, 1);
}

}  // namespace
}  // namespace hexquant::profiling
