#include "profiling/qnn_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "hexquant/error.h"
#include "profiling/csv_estimate.h"

namespace hexquant::profiling {
namespace {

using testing::ElementsAre;

const std::string kHeader =
    "Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event Identifier";
const std::string kHeaderWithSources = kHeader + ",ONNX Source Ops\n";

/// Rows as the provider writes them for one graph with an estimate.
std::string graph_rows(int finalize_us, int cycles, int input_fill, int missing) {
  const auto sub = [](int value, const std::string& unit, const std::string& name) {
    return "0,BACKEND," + std::to_string(value) + "," + unit + ",BACKEND,SUB-EVENT," + name + ",\n";
  };
  return "0,FINALIZE," + std::to_string(finalize_us) +
         ",US,BACKEND,ROOT,QNN (finalize) time,\n"
         "0,BACKEND,0,US,BACKEND,ROOT,Performance Estimates,\n" +
         sub(cycles, "CYCLES", "Simulated (Accelerator exec cycles)") +
         sub(cycles - 10, "CYCLES", "Simulated (Accelerator exec cycles (lower estimate))") +
         sub(cycles + 20, "CYCLES", "Simulated (Accelerator exec cycles (upper estimate))") +
         sub(cycles / 1000, "US", "Simulated (Accelerator exec time us)") +
         sub(input_fill, "BYTES", "Input Fill") + sub(3, "BYTES", "Intermediate Fill") +
         sub(5, "BYTES", "Intermediate Spill") + sub(7, "BYTES", "Output Spill") +
         sub(missing, "US", "Missing Ops (Number of Ops with no Costs associated)") +
         "0,UNKNOWN,UNKNOWN,OBJECT,BACKEND,ROOT,QNN Trace Hextimate Event,\n";
}

TEST(QnnCsv, reads_rows_with_and_without_sources) {
  const QnnCsv csv = parse_qnn_csv(
      kHeaderWithSources +
          "7,NODE,42,CYCLES,BACKEND,SUB-EVENT,/a/Conv_token_1:OpId_25 (cycles),dq;/a/Conv;q\r\n"
          "0,UNKNOWN,UNKNOWN,OBJECT,BACKEND,ROOT,QNN Trace Hextimate Event,\n",
      "p.csv");
  EXPECT_EQ(csv.malformed_lines, 0U);
  ASSERT_EQ(csv.rows.size(), 2U);
  EXPECT_EQ(csv.rows[0].timestamp, 7);
  EXPECT_EQ(csv.rows[0].message, "NODE");
  EXPECT_EQ(csv.rows[0].time, 42);
  EXPECT_EQ(csv.rows[0].unit, "CYCLES");
  EXPECT_FALSE(csv.rows[0].is_root());
  EXPECT_EQ(csv.rows[0].identifier, "/a/Conv_token_1:OpId_25 (cycles)");
  EXPECT_EQ(csv.rows[0].onnx_sources, "dq;/a/Conv;q");
  EXPECT_EQ(csv.rows[1].time, std::nullopt);
  EXPECT_TRUE(csv.rows[1].is_root());
  const QnnCsv plain =
      parse_qnn_csv(kHeader + "\n0,NODE,1,CYCLES,BACKEND,SUB-EVENT,a, b:OpId_3 (cycles)", "p.csv");
  ASSERT_EQ(plain.rows.size(), 1U);
  EXPECT_EQ(plain.rows[0].identifier, "a, b:OpId_3 (cycles)");
}

TEST(QnnCsv, names_may_hold_commas_quotes_and_more) {
  const QnnCsv csv = parse_qnn_csv(
      kHeaderWithSources +
          "0,NODE,0,CYCLES,BACKEND,SUB-EVENT,first, \"conv:OpId_22 (cycles),first, \"conv\n",
      "p.csv");
  const std::vector<QnnOpRow> ops = op_rows(csv);
  ASSERT_EQ(ops.size(), 1U);
  EXPECT_EQ(ops[0].op_id, 22U);
  EXPECT_EQ(ops[0].qnn_name, "first, \"conv");
  EXPECT_THAT(ops[0].onnx_names, ElementsAre("first, \"conv"));
}

TEST(QnnCsv, op_rows_skip_what_is_no_operation) {
  const QnnCsv csv = parse_qnn_csv(kHeaderWithSources +
                                       "0,NODE,9,CYCLES,BACKEND,SUB-EVENT,Input OpId_2 (cycles),\n"
                                       "0,NODE,9,CYCLES,BACKEND,SUB-EVENT,OpId_4 (cycles),\n"
                                       "0,NODE,9,CYCLES,BACKEND,SUB-EVENT,a:OpId_x (cycles),\n"
                                       "0,ROOT,9,CYCLES,BACKEND,SUB-EVENT,a:OpId_5 (cycles),\n",
                                   "p.csv");
  const std::vector<QnnOpRow> ops = op_rows(csv);
  ASSERT_EQ(ops.size(), 1U);
  EXPECT_EQ(ops[0].qnn_name, "Input");
  EXPECT_EQ(ops[0].op_id, 2U);
  EXPECT_TRUE(ops[0].onnx_names.empty());
}

TEST(QnnCsv, malformed_lines_are_counted_and_left_out) {
  const QnnCsv csv = parse_qnn_csv(kHeaderWithSources +
                                       "0,NODE,x,CYCLES,BACKEND,SUB-EVENT,a,\n"
                                       "0,NODE,1\n"
                                       "\n"
                                       "t,NODE,1,CYCLES,BACKEND,SUB-EVENT,a,\n"
                                       "0,NODE,1,CYCLES,BACKEND,SUB-EVENT,a,\n",
                                   "p.csv");
  EXPECT_EQ(csv.malformed_lines, 3U);
  EXPECT_EQ(csv.rows.size(), 1U);
}

TEST(QnnCsv, another_file_is_refused_by_name) {
  for (const std::string text : {"", "a,b,c\n1,2,3\n"}) {
    try {
      static_cast<void>(parse_qnn_csv(text, "p.csv"));
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
      EXPECT_THAT(error.what(), testing::StartsWith("p.csv: no profile"));
    }
  }
}

TEST(CsvEstimate, reads_figures_by_name) {
  const auto estimates =
      csv_estimates(parse_qnn_csv(kHeaderWithSources + graph_rows(100, 5000, 4096, 64), "p"));
  ASSERT_EQ(estimates.size(), 1U);
  EXPECT_EQ(estimates[0].cycles.value, 5000);
  EXPECT_EQ(estimates[0].cycles.lower, 4990);
  EXPECT_EQ(estimates[0].cycles.upper, 5020);
  EXPECT_EQ(estimates[0].time_us.value, 5);
  EXPECT_EQ(estimates[0].ddr_bytes.input_fill, 4096);
  EXPECT_EQ(estimates[0].ddr_bytes.read(), 4099);
  EXPECT_EQ(estimates[0].ddr_bytes.written(), 12);
  EXPECT_EQ(estimates[0].missing_ops, 64);
}

/// The provider writes the estimates of all graphs so far again with each graph.
TEST(CsvEstimate, repeats_are_dropped_and_equal_graphs_are_kept) {
  const std::string first = graph_rows(100, 5000, 4096, 0);
  const std::string second = graph_rows(101, 7000, 8192, 0);
  const std::string twin = graph_rows(102, 7000, 8192, 0);  // other compilation times
  const auto estimates = csv_estimates(
      parse_qnn_csv(kHeaderWithSources + first + first + second + first + second + twin, "p"));
  ASSERT_EQ(estimates.size(), 3U);
  EXPECT_EQ(estimates[0].cycles.value, 5000);
  EXPECT_EQ(estimates[1].cycles.value, 7000);
  EXPECT_EQ(estimates[2].cycles.value, 7000);
}

TEST(CsvEstimate, chips_without_estimates_and_runs_give_none) {
  EXPECT_TRUE(csv_estimates(parse_qnn_csv(kHeaderWithSources +
                                              "0,FINALIZE,9,US,BACKEND,ROOT,QNN (finalize) time,\n"
                                              "0,EXECUTE,9,US,BACKEND,ROOT,QNN (execute) time,\n",
                                          "p"))
                  .empty());
  EXPECT_TRUE(csv_estimates({}).empty());
}

}  // namespace
}  // namespace hexquant::profiling
