#include "pipeline/htp_estimate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "core/file_io.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "support/json_schema.h"
#include "support/temp_folder.h"

// tests/pipeline/estimates holds what onnxruntime-qnn 2.7.0 wrote for examples/digits (W8A8, batch
// 1, vtcm_mb 8, optimization 3); graph_schematic.bin is an excerpt: borders of the graph and names.
namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

const fs::path kEstimates = fs::path(HEXQUANT_SOURCE_DIR) / "tests/pipeline/estimates";
const fs::path kDigits = kEstimates / "digits_sa8255";

graph::Graph digits() {
  return formats::read_onnx(kDigits / "model.onnx");
}

Json row(const Json& estimate, const std::string& layer) {
  for (const Json& candidate : estimate["layers"]) {
    if (candidate["name"] == layer) return candidate;
  }
  ADD_FAILURE() << "no layer " << layer;
  return Json::object();
}

/// A copy of the digits files in which a test may change or remove some.
class DigitsCopy {
 public:
  DigitsCopy() {
    for (const char* name :
         {"profile.csv", "profile_qnn.log", "qnn_op_trace.json", "graph_schematic.bin"}) {
      fs::copy_file(kDigits / name, path() / name);
    }
  }
  [[nodiscard]] const fs::path& path() const { return folder_.path(); }
  [[nodiscard]] HtpEstimate read(const std::string& soc = "SA8255") const {
    return read_htp_estimate(path(), digits(), soc);
  }

 private:
  test::TempFolder folder_;
};

std::vector<std::string> ids(const HtpEstimate& estimate) {
  std::vector<std::string> list;
  for (const Finding& finding : estimate.findings) list.push_back(finding.id);
  return list;
}

TEST(HtpEstimate, totals_are_those_of_the_profile) {
  const Json json = to_json(read_htp_estimate(kDigits, digits(), "SA8255"));
  EXPECT_EQ(json["soc"], "SA8255");
  EXPECT_EQ(json["htp_arch"], "v73");
  EXPECT_EQ(json["available"], true);
  EXPECT_EQ(json["is_measurement"], false);
  EXPECT_EQ(json["cycles"], 12758);
  EXPECT_EQ(json["cycles_lower"], 11477);
  EXPECT_EQ(json["cycles_upper"], 14363);
  EXPECT_EQ(json["clock_mhz"], 1497.6);
  EXPECT_EQ(json["time_us"], 8.519);  // 12758 / 1497.6; the profile cuts it off to 8
  EXPECT_EQ(json["lower_us"], 7.664);
  EXPECT_EQ(json["upper_us"], 9.591);
  EXPECT_EQ(json["ddr_bytes"]["input_fill"], 51200);
  EXPECT_EQ(json["ddr_bytes"]["output_spill"], 2048);
  EXPECT_EQ(json["missing_ops"], 0);
  EXPECT_EQ(json["machine"]["soc"], "SA8255");
  EXPECT_EQ(json["machine"]["base_soc"], "Kailua");
  EXPECT_EQ(json["vtcm_peak_bytes"], 59392);
}

/// Sums by hand from the events of the trace.
TEST(HtpEstimate, layers_have_the_times_of_their_operations) {
  const Json json = to_json(read_htp_estimate(kDigits, digits(), "SA8255"));
  const auto us = [](double cycles) { return std::round(cycles / 1497.6 * 1000.0) / 1000.0; };
  const Json depthwise = row(json, "/separable1/separable1.0/separable1.0.0/Conv");
  EXPECT_EQ(depthwise["op"], "Conv");
  EXPECT_EQ(depthwise["kind"], "layer");
  EXPECT_THAT(depthwise["onnx_nodes"].get<std::vector<std::string>>(),
              Contains("/separable1/separable1.0/separable1.0.2/Clip"));
  EXPECT_EQ(depthwise["hmx_us"], us(2 * 263));  // two tiles on HMX
  EXPECT_EQ(depthwise["tiles"], 2);
  EXPECT_EQ(depthwise["hvx_us"], 0.0);
  const Json pool = row(json, "/pool/MaxPool");
  EXPECT_EQ(pool["hvx_us"], us(603));
  EXPECT_EQ(pool["time_us"], us(603));  // nothing else computes then
  EXPECT_EQ(pool["bound"], "hvx");
  EXPECT_EQ(pool["dram_read_bytes"], 0);
  const Json residual = row(json, "/residual1/residual1.0/Conv");
  EXPECT_EQ(residual["dma_read_bytes"], 10240 + 2048);  // weights and bias
  EXPECT_EQ(residual["hmx_us"], us(485));
  const Json transpose = row(json, "Transpose_token_81");
  EXPECT_EQ(transpose["kind"], "inserted");
  EXPECT_EQ(transpose["op"], "Transpose");
  const Json output = row(json, "(graph output)");
  EXPECT_EQ(output["kind"], "boundary");
  EXPECT_EQ(output["hvx_us"], us(450));
  EXPECT_EQ(output["dram_write_bytes"], 10);
}

TEST(HtpEstimate, parts_add_up_to_the_totals) {
  const Json json = to_json(read_htp_estimate(kDigits, digits(), "SA8255"));
  double time_us = json["time_split"]["idle_us"].get<double>();
  double split_us = time_us;
  std::int64_t dma_read_bytes = 0;
  double share = 0.0;
  for (const Json& layer : json["layers"]) {
    time_us += layer["time_us"].get<double>();
    share += layer["share"].get<double>();
    dma_read_bytes += layer["dma_read_bytes"].get<std::int64_t>();
  }
  for (const char* unit : {"hmx_us", "hvx_us", "dma_us", "control_us"}) {
    split_us += json["time_split"][unit].get<double>();
  }
  constexpr double kRounding = 0.0005 * 20;  // each number is rounded to a nanosecond
  EXPECT_NEAR(time_us, json["time_us"].get<double>(), kRounding);
  EXPECT_NEAR(split_us, json["time_us"].get<double>(), kRounding);
  EXPECT_NEAR(share, 1.0 - json["time_split"]["idle_us"].get<double>() / 8.519, 0.001);
  EXPECT_EQ(dma_read_bytes, json["ddr_bytes"]["input_fill"]);
  EXPECT_EQ(json["layers"].size(), 14U);
  EXPECT_TRUE(std::is_sorted(json["layers"].begin(), json["layers"].end(),
                             [](const Json& a, const Json& b) { return a["share"] > b["share"]; }));
  for (const Json& layer : json["layers"]) EXPECT_NE(layer["kind"], "unknown");
}

TEST(HtpEstimate, is_never_called_a_measurement) {
  const HtpEstimate estimate = read_htp_estimate(kDigits, digits(), "SA8255");
  EXPECT_THAT(estimate.findings, Contains(Field(&Finding::id, "estimate-is-no-measurement")));
  EXPECT_THAT(estimate.findings, Contains(Field(&Finding::id, "estimate-depthwise")));
}

/// A run's profile names the operations too, without any other file.
TEST(HtpEstimate, rows_of_a_run_replace_schematic_and_framework_trace) {
  DigitsCopy copy;
  const Json expected = to_json(copy.read());
  fs::remove(copy.path() / "graph_schematic.bin");
  fs::remove(copy.path() / "qnn_op_trace.json");
  fs::copy_file(kDigits / "profile_run.csv", copy.path() / "profile.csv",
                fs::copy_options::overwrite_existing);
  const Json json = to_json(copy.read());
  ASSERT_EQ(json["layers"].size(), expected["layers"].size());
  for (std::size_t l = 0; l < json["layers"].size(); ++l) {
    for (const char* key : {"name", "kind", "time_us", "onnx_nodes", "dram_read_bytes"}) {
      EXPECT_EQ(json["layers"][l][key], expected["layers"][l][key]) << key << " of row " << l;
    }
  }
}

TEST(HtpEstimate, qnn_names_alone_still_find_the_nodes) {
  DigitsCopy copy;
  fs::remove(copy.path() / "qnn_op_trace.json");
  const Json json = to_json(copy.read());
  EXPECT_EQ(row(json, "/residual1/residual1.0/Conv")["kind"], "layer");
  EXPECT_EQ(row(json, "Transpose_token_81")["kind"], "inserted");
}

TEST(HtpEstimate, without_names_rows_are_unknown) {
  DigitsCopy copy;
  fs::remove(copy.path() / "graph_schematic.bin");
  const Json json = to_json(copy.read());
  EXPECT_EQ(row(json, "OpId 49")["kind"], "unknown");
  EXPECT_THAT(row(json, "OpId 49")["op"].get<std::string>(), HasSubstr("MaxPool"));
}

TEST(HtpEstimate, without_trace_there_are_totals_and_a_finding) {
  DigitsCopy copy;
  fs::remove(copy.path() / "profile_qnn.log");
  const HtpEstimate estimate = copy.read();
  EXPECT_THAT(ids(estimate), Contains("estimate-without-trace"));
  const Json json = to_json(estimate);
  EXPECT_EQ(json["time_us"], 8.0);  // the profile's whole microseconds
  EXPECT_EQ(json["clock_mhz"], nullptr);
  EXPECT_TRUE(json["layers"].empty());
  EXPECT_TRUE(timeline_json(estimate).is_null());
}

TEST(HtpEstimate, truncated_trace_is_used_and_named) {
  DigitsCopy copy;
  fs::resize_file(copy.path() / "profile_qnn.log", 40000);
  const HtpEstimate estimate = copy.read();
  EXPECT_THAT(ids(estimate), Contains("estimate-trace-truncated"));
  ASSERT_EQ(estimate.graphs.size(), 1U);
  EXPECT_GT(estimate.graphs[0].trace.events.size(), 10U);
  EXPECT_EQ(estimate.graphs[0].times.cycles, 12758);
}

TEST(HtpEstimate, differing_sums_and_missing_costs_and_odd_lines_are_findings) {
  DigitsCopy copy;
  std::string csv = read_file(copy.path() / "profile.csv");
  const auto replace = [&](const std::string& from, const std::string& to) {
    csv.replace(csv.find(from), from.size(), to);
  };
  replace("BACKEND,51200,BYTES", "BACKEND,60000,BYTES");
  replace("0,US,BACKEND,SUB-EVENT,Missing Ops", "64,US,BACKEND,SUB-EVENT,Missing Ops");
  write_file(copy.path() / "profile.csv", csv + "garbage\n");
  const HtpEstimate estimate = copy.read();
  EXPECT_THAT(ids(estimate), Contains("estimate-bytes-differ"));
  EXPECT_THAT(ids(estimate), Contains("estimate-missing-ops"));
  EXPECT_THAT(ids(estimate), Contains("profile-malformed-lines"));
  EXPECT_EQ(to_json(estimate)["missing_ops"], 64);
}

TEST(HtpEstimate, chips_without_estimates_are_told_which_ones_have_them) {
  const HtpEstimate estimate = read_htp_estimate(kEstimates / "digits_sm8650", digits(), "SM8650");
  EXPECT_FALSE(estimate.is_available());
  ASSERT_EQ(estimate.findings.size(), 1U);
  EXPECT_EQ(estimate.findings[0].id, "estimate-unavailable");
  EXPECT_THAT(estimate.findings[0].fix, HasSubstr("no chip of v75"));
  EXPECT_EQ(to_json(estimate)["available"], false);
  const HtpEstimate same = read_htp_estimate(kEstimates / "digits_sm8650", digits(), "SM8550");
  EXPECT_THAT(same.findings.at(0).fix, HasSubstr("SA8255 or QCS9100"));
}

TEST(HtpEstimate, missing_or_foreign_files_are_named) {
  const test::TempFolder empty;
  EXPECT_THROW(static_cast<void>(read_htp_estimate(empty.path(), digits(), "SA8255")), Error);
  DigitsCopy copy;
  write_file(copy.path() / "profile.csv", "a,b\n");
  try {
    static_cast<void>(copy.read());
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("profile.csv: no profile"));
  }
}

TEST(HtpEstimate, results_fit_the_published_schema) {
  const Json schema = test::published_schema("estimate");
  DigitsCopy without_trace;
  fs::remove(without_trace.path() / "profile_qnn.log");
  for (const HtpEstimate& estimate :
       {read_htp_estimate(kDigits, digits(), "SA8255"), without_trace.read(),
        read_htp_estimate(kEstimates / "digits_sm8650", digits(), "SM8650")}) {
    EXPECT_THAT(test::schema_violations(schema, to_json(estimate)), testing::IsEmpty());
  }
}

/// A profile of two graphs as the provider writes it: the first one again with the second.
class TwoGraphs {
 public:
  TwoGraphs() {
    const std::string first = rows(100, 1500);
    write_file(path() / "profile.csv",
               "Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event "
               "Identifier,ONNX Source Ops\n" +
                   first + first + rows(101, 3000));
    const std::string end(1, '\0');
    const std::string a = trace(7, 1000) + "\ngraph_a" + end;
    write_file(path() / "profile_qnn.log", end + a + a + trace(9, 2400) + "\ngraph_b" + end);
    write_file(path() / "a_schematic.bin", schematic("graph_a", "0x7: 'first_token_3',"));
    write_file(path() / "b_schematic.bin", schematic("graph_b", "0x9: 'second',"));
  }
  [[nodiscard]] const fs::path& path() const { return folder_.path(); }

 private:
  static std::string rows(int finalize_us, int cycles) {
    return "0,FINALIZE," + std::to_string(finalize_us) +
           ",US,BACKEND,ROOT,QNN (finalize) time,\n"
           "0,BACKEND,0,US,BACKEND,ROOT,Performance Estimates,\n"
           "0,BACKEND," +
           std::to_string(cycles) +
           ",CYCLES,BACKEND,SUB-EVENT,Simulated (Accelerator exec cycles),\n"
           "0,BACKEND,64,BYTES,BACKEND,SUB-EVENT,Input Fill,\n";
  }
  static std::string trace(int op_id, int duration) {
    return R"({"traceEvents":[{"name":"q::Conv","ph":"X","tid":0,"ts":0,"dur":)" +
           std::to_string(duration) + R"(,"args":{"id":"0x42000000000)" + std::to_string(op_id) +
           R"(","flags":["uses_hmx"]}},{"name":"d","ph":"X","tid":5,"ts":0,"dur":10,)"
           R"("args":{"id":"0x410000000001","flags":["for_dma"],"bw_info":{"dram_read":64}}}],)"
           R"("Hextimate Configuration":{"sim_core_freq":1500.0}})";
  }
  static std::string schematic(const std::string& graph, const std::string& entry) {
    return "\nqnn_name_translations = {\n" + entry + "\n0x1: 'Transpose_token_1',\n}\n" +
           "qnn_graph_name = \"" + graph + "\"\n";
  }

  test::TempFolder folder_;
};

TEST(HtpEstimate, graphs_of_a_split_model_add_up) {
  const TwoGraphs files;
  graph::Graph graph;
  graph.add_node({.op_type = "Conv", .inputs = {}, .outputs = {"a"}, .name = "first"});
  graph.add_node({.op_type = "Relu", .inputs = {"a"}, .outputs = {"b"}, .name = "second"});
  const HtpEstimate estimate = read_htp_estimate(files.path(), graph, "SA8255");
  EXPECT_THAT(ids(estimate), Contains("estimate-several-graphs"));
  const Json json = to_json(estimate);
  EXPECT_EQ(json["graphs"], 2);
  EXPECT_EQ(json["cycles"], 4500);
  EXPECT_EQ(json["time_us"], 3.0);
  EXPECT_EQ(json["ddr_bytes"]["input_fill"], 128);
  EXPECT_EQ(row(json, "second")["op"], "Relu");
  EXPECT_EQ(row(json, "second")["graph"], 1);
  EXPECT_EQ(row(json, "second")["share"], 2400.0 / 4500.0);
  EXPECT_EQ(row(json, "first")["time_us"], 0.667);
  EXPECT_EQ(json["time_split"]["idle_us"], 0.733);  // 500 and 600 cycles
  EXPECT_EQ(timeline_json(estimate)["graphs"].size(), 2U);
}

/// Start and end of every box of every lane, in cycles.
std::vector<std::pair<std::int64_t, std::int64_t>> boxes(const Json& timeline) {
  std::vector<std::pair<std::int64_t, std::int64_t>> list;
  for (const Json& lane : timeline["graphs"][0]["lanes"]) {
    for (std::size_t i = 0; i < lane["boxes"].size(); i += 5) {
      const auto start = lane["boxes"][i].get<std::int64_t>();
      list.emplace_back(start, start + lane["boxes"][i + 1].get<std::int64_t>());
    }
  }
  return list;
}

TEST(HtpTimeline, holds_every_interval_of_the_lanes) {
  const HtpEstimate estimate = read_htp_estimate(kDigits, digits(), "SA8255");
  const Json timeline = timeline_json(estimate);
  const Json& graph = timeline["graphs"][0];
  std::vector<std::string> names;
  for (const Json& lane : graph["lanes"]) names.push_back(lane["name"]);
  EXPECT_THAT(names, ElementsAre("FG", "HVX 1", "HVX 2", "DMA", "HVX_DMA 1", "HVX_DMA 2"));
  const auto& events = estimate.graphs[0].trace.events;
  const auto drawn = std::count_if(events.begin(), events.end(),
                                   [](const auto& event) { return event.duration > 0; });
  EXPECT_EQ(boxes(timeline).size(), static_cast<std::size_t>(drawn));
  // MaxPool on the first HVX thread.
  EXPECT_THAT(boxes(timeline), Contains(std::pair<std::int64_t, std::int64_t>(5160, 5763)));
  EXPECT_EQ(graph["cycles"], 12758);
  EXPECT_EQ(graph["vtcm_bytes"], 8388608);
}

TEST(HtpTimeline, large_traces_are_thinned_and_cover_the_same_time) {
  const HtpEstimate estimate = read_htp_estimate(kDigits, digits(), "SA8255");
  const auto all = boxes(timeline_json(estimate));
  const auto few = boxes(timeline_json(estimate, 20));
  EXPECT_LE(few.size(), 20U);
  EXPECT_GE(few.size(), 6U);  // no lane disappears
  for (const auto& [start, end] : all) {
    EXPECT_TRUE(std::any_of(few.begin(), few.end(), [start = start, end = end](const auto& box) {
      return box.first <= start && end <= box.second;
    })) << start;
  }
}

}  // namespace
}  // namespace hexquant::pipeline
