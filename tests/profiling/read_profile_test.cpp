#include "profiling/read_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "profiling/compare_profiles.h"
#include "profiling/csv_table.h"
#include "profiling/node_lines.h"
#include "profiling/optrace_table.h"
#include "profiling/ort_trace.h"
#include "profiling/profile_names.h"
#include "profiling/profile_testing.h"
#include "profiling/viewer_text.h"

namespace hexquant::profiling {
namespace {

using test::has_finding;
using test::profile_bytes;
using test::profile_path;
using test::row_named;
using testing::ElementsAre;
using testing::IsEmpty;

/// A file of the digits example, whose trace comes from the vendor's simulator.
std::filesystem::path digits(const std::string& name) {
  return std::filesystem::path(HEXQUANT_SOURCE_DIR) / "tests/pipeline/estimates/digits_sa8255" /
         name;
}

TEST(DetectProfile, EveryFormatByItsContent) {
  const auto kind = [](const std::string& name) { return detect_profile(profile_bytes(name)); };
  EXPECT_EQ(kind("article.log"), ProfileFile(ProfileFormat::kNodeLines));
  for (const char* name :
       {"viewer_basic.txt", "viewer_detailed.txt", "viewer_linting.txt", "diagview.txt"}) {
    EXPECT_EQ(kind(name), ProfileFile(ProfileFormat::kViewerText)) << name;
  }
  EXPECT_EQ(kind("viewer.csv"), ProfileFile(ProfileFormat::kQnnCsv));
  EXPECT_EQ(kind("fallback/profile.csv"), ProfileFile(ProfileFormat::kQnnCsv));
  EXPECT_EQ(kind("fallback/profile_qnn.log"), ProfileFile(ProfileFormat::kQnnLog));
  EXPECT_EQ(kind("fallback/ort_htp.json"), ProfileFile(ProfileFormat::kOrtTrace));
  EXPECT_EQ(kind("chrometrace.json"), ProfileFile(ProfileFormat::kChromeTrace));
  EXPECT_EQ(kind("qhas.json"), ProfileFile(ProfileFormat::kQhas));
  EXPECT_EQ(kind("fallback/qnn_op_trace.json"), ProfileFile(NameFile::kFrameworkTrace));
  EXPECT_EQ(detect_profile(read_file(digits("profile_qnn.log"))),
            ProfileFile(ProfileFormat::kQnnLog));
  EXPECT_EQ(detect_profile(read_file(digits("graph_schematic.bin"))),
            ProfileFile(NameFile::kSchematic));
}

TEST(DetectProfile, OtherFilesAreNone) {
  for (const std::string_view text : {"", "  \n", "hello world\n", "{\"a\": 1}", "[1, 2]"}) {
    EXPECT_EQ(detect_profile(text), std::nullopt) << text;
  }
  EXPECT_EQ(detect_profile(profile_bytes("fallback/model.onnx")), std::nullopt);
  EXPECT_EQ(detect_profile("graph on CPU execute\n"), ProfileFile(ProfileFormat::kNodeLines));
}

TEST(FormatNames, RoundTrip) {
  for (const ProfileFormat format : kProfileFormats) {
    EXPECT_EQ(profile_format_of(profile_format_name(format)), format);
  }
  EXPECT_EQ(profile_format_of("no"), std::nullopt);
}

TEST(CsvTable, GraphsOfTheModelStayApart) {
  const ProfileTable table = read_csv_table(profile_bytes("fallback/profile.csv"), "p.csv");
  // Two parts: input, transpose, conv1, dequantize, output and input, quantize, conv2, relu,
  // transpose, output; three runs each.
  ASSERT_EQ(table.rows.size(), 11U);
  const ProfileRow conv = row_named(table, "conv1_token_1");
  EXPECT_EQ(conv.value.count, 3);
  EXPECT_EQ(conv.graph, "#1");
  EXPECT_EQ(conv.op_id, 22U);
  EXPECT_THAT(conv.onnx_nodes,
              ElementsAre("DequantizeLinear_token_22", "conv1_weight_DequantizeLinear",
                          "conv1_token_1", "conv1_QuantizeLinear"));
  EXPECT_EQ(row_named(table, "relu").graph, "#2");
  // Three blocks in the file, the first one written twice.
  EXPECT_EQ(std::count_if(table.totals.begin(), table.totals.end(),
                          [](const ProfileTotal& total) {
                            return total.name == "QNN (finalize) time" && total.value.count == 1;
                          }),
            2);
  EXPECT_TRUE(has_finding(table, "host-ticks"));
  EXPECT_TRUE(has_finding(table, "cycles-not-time"));
  EXPECT_FALSE(table.may_be_summed);
}

TEST(CsvTable, ALostFirstRowIsNoOtherGraph) {
  const std::string header =
      "Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event "
      "Identifier\n";
  const auto run = [](const std::string& first) {
    return "1,BACKEND,4,COUNT,BACKEND,ROOT,Number of HVX threads used\n1,NODE," + first +
           ",CYCLES,BACKEND,SUB-EVENT,a:OpId_3 (cycles)\n"
           "1,NODE,5,CYCLES,BACKEND,SUB-EVENT,b:OpId_4 (cycles)\n";
  };
  const ProfileTable table = read_csv_table(header + run("10") + run("?") + run("20"), "p");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(row_named(table, "a").amount, 15.0);
  EXPECT_EQ(row_named(table, "b").value.count, 3);
  EXPECT_EQ(row_named(table, "b").graph, "");
}

TEST(CsvTable, ViewersCsv) {
  const ProfileTable table = read_csv_table(profile_bytes("viewer.csv"), "v.csv");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(row_named(table, "conv1").amount, 290000.0);
  EXPECT_EQ(row_named(table, "conv1").value.count, 2);
  EXPECT_EQ(row_named(table, "conv1").graph, "");
  EXPECT_EQ(table.total("execute", "QNN (execute) time"), 1400.0);
  EXPECT_EQ(table.total("init", "Init"), 200000.0);
  EXPECT_EQ(table.malformed_count, 1);
  EXPECT_EQ(table.malformed.at(0).line, 7);
  EXPECT_FALSE(has_finding(table, "host-ticks"));
  EXPECT_THROW(static_cast<void>(read_csv_table("a,b\n", "x")), Error);
}

TEST(QnnLog, TraceAddsUpToTheRun) {
  ProfileTable table = read_qnn_log(read_file(digits("profile_qnn.log")), "l");
  EXPECT_TRUE(table.may_be_summed);
  EXPECT_TRUE(has_finding(table, "simulation"));
  const double cycles = table.total("estimate", "cycles").value_or(0.0);
  EXPECT_GT(cycles, 10000.0);
  ASSERT_EQ(table.units.size(), 5U);
  double units = 0.0;
  for (const UnitUse& unit : table.units) units += unit.amount;
  EXPECT_NEAR(units, cycles, 1e-6 * cycles);
  EXPECT_NEAR(table.sum() + table.units.back().amount, cycles, 1e-6 * cycles);
  NameFiles files;
  files.schematics.push_back(read_schematic(digits("graph_schematic.bin")));
  files.framework = formats::read_framework_trace(digits("qnn_op_trace.json"));
  const graph::Graph model = formats::read_onnx(digits("model.onnx"));
  files.model = &model;
  name_rows(table, files);
  const ProfileRow stem = row_named(table, "/stem/stem.0/Conv_token_1");
  EXPECT_EQ(stem.node, "/stem/stem.0/Conv");
  EXPECT_EQ(stem.op, "Conv");
  const ProfileRow gemm = row_named(table, "/head/Gemm");
  EXPECT_THAT(gemm.resources, testing::Contains("HMX"));
  EXPECT_GT(gemm.dram_read_bytes, 0);
}

TEST(QnnLog, WithoutATraceSaysHowToConvert) {
  const ProfileTable table = read_qnn_log(profile_bytes("fallback/profile_qnn.log"), "l");
  EXPECT_THAT(table.rows, IsEmpty());
  EXPECT_TRUE(has_finding(table, "no-trace"));
}

TEST(NameRows, CsvColumnAloneNamesNodes) {
  ProfileTable table = read_csv_table(profile_bytes("fallback/profile.csv"), "p.csv");
  name_rows(table, {});
  EXPECT_EQ(row_named(table, "conv1_token_1").node, "conv1");
  EXPECT_EQ(row_named(table, "relu").node, "relu");
  EXPECT_EQ(row_named(table, "Input").node, "");
  // Two inserted transposes are no node "Transpose".
  EXPECT_EQ(row_named(table, "Transpose_token_10").node, "");
}

TEST(NameRows, ConverterNamesAreFoundInTheModel) {
  const graph::Graph model = formats::read_onnx(digits("model.onnx"));
  ProfileTable table = read_viewer_text(
      "Execute Stats (Average):\n"
      "  _stem_stem_0_Conv:OpId_3 (cycles): 5 cycles\n"
      "  unknown:OpId_4 (cycles): 6 cycles\n",
      "v");
  NameFiles files;
  files.model = &model;
  name_rows(table, files);
  EXPECT_EQ(row_named(table, "_stem_stem_0_Conv").node, "/stem/stem.0/Conv");
  EXPECT_EQ(row_named(table, "_stem_stem_0_Conv").op, "Conv");
  EXPECT_EQ(row_named(table, "unknown").node, "");
}

TEST(MergeProfiles, RepetitionsAreMeans) {
  ProfileTable table = read_node_lines("Node a HTP execute 10 us\nNode a HTP execute 20 us\n", "1");
  merge_profiles(table, read_node_lines("Node a HTP execute 60 us\nNode b CPU execute 4 us\n"
                                        "Node c HTP execute\n",
                                        "2"));
  sort_rows(table);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0].name, "a");
  EXPECT_EQ(table.rows[0].amount, 30.0);
  EXPECT_EQ(table.rows[0].value.max, 60.0);
  EXPECT_THAT(table.sources, ElementsAre("1", "2"));
  EXPECT_EQ(table.lines, 5);
  EXPECT_EQ(table.malformed_count, 1);
}

TEST(GroupRows, ByNodeOpAndUnit) {
  ProfileTable table;
  ProfileBuilder builder(table);
  const auto add = [&](const char* name, const char* op, const char* backend, double value) {
    ProfileRow& row = builder.row("", name);
    row.op = op;
    row.backend = backend;
    row.value.add(value);
  };
  add("a", "Conv", "HTP", 10.0);
  add("b", "Relu", "CPU", 25.0);
  add("c", "Conv", "HTP", 65.0);
  builder.finish();
  table.rows[2].node = "a";
  const auto by_node = group_rows(table, ProfileGrouping::kNode);
  ASSERT_EQ(by_node.size(), 2U);
  EXPECT_EQ(by_node[0].name, "a");
  EXPECT_EQ(by_node[0].amount, 75.0);
  EXPECT_EQ(by_node[0].rows, 2);
  EXPECT_EQ(by_node[0].share, 0.75);
  EXPECT_EQ(group_rows(table, ProfileGrouping::kOp)[0].name, "Conv");
  EXPECT_EQ(group_rows(table, ProfileGrouping::kUnit)[1].name, "CPU");
}

TEST(CompareProfiles, AddedRemovedFasterSlower) {
  const ProfileTable before = read_node_lines(
      "Node a HTP execute 10 us\nNode b HTP execute 20 us\nNode gone HTP execute 1 us\n", "b");
  const ProfileTable after = read_node_lines(
      "Node a HTP execute 30 us\nNode b HTP execute 15 us\nNode new HTP execute 2 us\n", "a");
  const ProfileComparison comparison = compare_profiles(before, after);
  ASSERT_EQ(comparison.rows.size(), 4U);
  EXPECT_EQ(comparison.rows[0].name, "a");
  EXPECT_EQ(comparison.rows[0].change(), 20.0);
  EXPECT_EQ(comparison.rows[1].change(), -5.0);
  EXPECT_EQ(comparison.rows[2].name, "new");
  EXPECT_EQ(comparison.rows[2].before, std::nullopt);
  EXPECT_EQ(comparison.rows[3].after, std::nullopt);
  EXPECT_EQ(comparison.before_sum, 31.0);
  EXPECT_EQ(comparison.after_sum, 47.0);
  const ProfileTable cycles = read_viewer_text(profile_bytes("viewer_detailed.txt"), "v");
  EXPECT_THROW(static_cast<void>(compare_profiles(before, cycles)), Error);
}

}  // namespace
}  // namespace hexquant::profiling
