#include "profiling/optrace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "profiling/schematic.h"

namespace hexquant::profiling {
namespace {

/// A trace in the form the vendor writes, with the members that are not read too.
const std::string kTrace = R"json({
  "traceEvents": [
{"name":"default_dma_start (q::w)",
                  "ph" : "X", "tid" : 0, "pid" : 0, "ts" : 12, "dur" : 150, "args" : {
  "id" : "0x423500000019",
         "func" : "N4\"x]",
                  "flags" : ["scalar"],
                            "dims" : [[ 1, 2 ]],
                                     "bw_info" : {
    "dram_read" : 2048, "dram_write" : 0, "is_dma" : 1
  }
}
},
{"name":"default_dma (q::w)","ph":"X","tid":5,"pid":0,"ts":12,"dur":67,"args":{"id":"0x423500000019","flags":["for_dma"],"bw_info":{"dram_read": 2048}}},
{"name":"q::ConvLayer","ph":"X","tid":0,"pid":0,"ts":200,"dur":30,"args":{"id":"0x42aa00000019","flags":["uses_hmx"]}},
{"name":"q::Add","ph":"X","tid":1,"pid":0,"ts":100,"dur":40,"args":{"id":"0x4029000000ff","flags":["for_hvx"]}},
{"name":"TCM usage","ph":"C","pid":0,"ts":0,"args":{"Bytes":2048}},
{"name":"TCM usage","ph":"C","pid":0,"ts":5,"args":{"Bytes":2048}},
{"name":"TCM allocated","ph":"C","pid":0,"ts":5,"args":{"Bytes":9}},
{"name":"TCM usage","ph":"C","pid":0,"ts":20,"args":{"Bytes":4096}},
{"name":"thread_name","ph":"M","tid":5,"pid":0,"args":{"name":"DMA:"}},
{"name":"thread_name","ph":"M","tid":0,"pid":0,"args":{"name":"FG:"}}
  ],
  "Trace Provenance": {"Version": "1.1.0"},
  "DMA/L2 Access Statistics": {"total_num_dma_read_bytes": 2048, "total_num_dma_write_bytes": 0, "min": 18446744073709551615},
  "Hextimate Configuration": {
  "soc_type" : "SA8255",
               "sim_base_soc" : "Kailua",
                                "vtcm_size_in_bytes" : 8388608,
                                "hvx_threads" : 4,
                                "sim_core_freq" : 1497.6
}
})json";

Optrace parse(const std::string& text) {
  std::size_t used = 0;
  return parse_optrace(text, used);
}

TEST(Optrace, reads_events_lanes_counters_and_machine) {
  std::size_t used = 0;
  const Optrace trace = parse_optrace(kTrace + "\nrest", used);
  EXPECT_EQ(used, kTrace.size());
  EXPECT_FALSE(trace.is_truncated);
  ASSERT_EQ(trace.events.size(), 4U);  // by start
  const TraceEvent& start = trace.events[0];
  const TraceEvent& dma = trace.events[1];
  EXPECT_EQ(start.unit, HwUnit::kControl);
  EXPECT_EQ(dma.unit, HwUnit::kDma);
  EXPECT_EQ(dma.id, 0x423500000019U);
  EXPECT_EQ(dma.op_id(), 0x19U);
  EXPECT_EQ(dma.start, 12);
  EXPECT_EQ(dma.end(), 79);
  EXPECT_EQ(dma.dram_read_bytes, 2048);
  EXPECT_EQ(trace.names.at(static_cast<std::size_t>(dma.name)), "default_dma (q::w)");
  EXPECT_EQ(trace.lanes.at(static_cast<std::size_t>(dma.lane)).name, "DMA");
  EXPECT_EQ(trace.lanes.at(static_cast<std::size_t>(start.lane)).name, "FG");
  EXPECT_EQ(trace.events[2].unit, HwUnit::kHvx);
  EXPECT_EQ(trace.lanes.at(static_cast<std::size_t>(trace.events[2].lane)).name, "thread 1");
  EXPECT_EQ(trace.events[3].unit, HwUnit::kHmx);
  ASSERT_EQ(trace.vtcm.size(), 2U);  // the repeated value is merged, other counters are left out
  EXPECT_EQ(trace.vtcm[1].start, 20);
  EXPECT_EQ(trace.vtcm[1].bytes, 4096);
  EXPECT_EQ(trace.dma_read_bytes, 2048);
  EXPECT_EQ(trace.machine.soc, "SA8255");
  EXPECT_EQ(trace.machine.clock_mhz, 1497.6);
  EXPECT_EQ(trace.machine.hvx_threads, 4);
  EXPECT_EQ(trace.machine.vtcm_bytes, 8388608);
}

TEST(Optrace, matrix_unit_has_a_lane_of_its_own_on_newer_chips) {
  const Optrace trace = parse(
      R"({"traceEvents":[{"name":"a","ph":"X","tid":9,"ts":0,"dur":1,"args":{"id":"0x1","flags":["for_hmx"]}},)"
      R"({"name":"b","ph":"X","tid":11,"ts":1,"dur":1,"args":{"id":"0x2","flags":["for_hvx_dma"]}},)"
      R"({"name":"c","ph":"X","tid":11,"ts":2,"dur":1,"args":{"id":"0x3","flags":["new_flag"]}}]})");
  ASSERT_EQ(trace.events.size(), 3U);
  EXPECT_EQ(trace.events[0].unit, HwUnit::kHmx);
  EXPECT_EQ(trace.events[1].unit, HwUnit::kDma);
  EXPECT_EQ(trace.events[2].unit, HwUnit::kControl);
}

TEST(Optrace, finds_traces_inside_a_binary_file) {
  const std::string binary("8\x19\x01\0\"traceEvents\" {x \"traceEvents\"\0\0", 36);
  const std::string other = R"({"traceEvents": [], "x": 1})";
  const auto traces =
      parse_optraces(binary + kTrace + std::string("\nqnn_graph_1\0\x07", 14) + kTrace +
                     std::string("\nqnn_graph_1\0", 13) + std::string("\xff\0", 2) + other +
                     std::string("\nqnn_graph_2\0", 13));
  ASSERT_EQ(traces.size(), 2U);  // the repeat of the first graph is dropped
  EXPECT_EQ(traces[0].graph_name, "qnn_graph_1");
  EXPECT_EQ(traces[0].events.size(), 4U);
  EXPECT_EQ(traces[1].graph_name, "qnn_graph_2");
  EXPECT_TRUE(traces[1].events.empty());
  EXPECT_FALSE(traces[1].is_truncated);
}

TEST(Optrace, unnamed_repeats_are_told_apart_by_their_text) {
  const std::string other = R"({"traceEvents": [], "x": 1})";
  const std::string end("\0", 1);
  EXPECT_EQ(parse_optraces(other + end + kTrace + end + other + end).size(), 2U);
}

TEST(Optrace, every_truncation_keeps_what_was_there) {
  std::size_t most = 0;
  for (std::size_t length = 0; length < kTrace.size(); ++length) {
    const auto traces = parse_optraces(kTrace.substr(0, length));
    if (traces.empty()) continue;
    ASSERT_EQ(traces.size(), 1U);
    EXPECT_TRUE(traces[0].is_truncated);
    EXPECT_GE(traces[0].events.size(), most);
    most = std::max(most, traces[0].events.size());
  }
  EXPECT_EQ(most, 4U);
}

TEST(Optrace, impossible_numbers_are_bounded) {
  const Optrace trace = parse(
      R"({"traceEvents":[{"name":"a","ph":"X","tid":1,"ts":-5,"dur":1e300,"args":{"id":"zz","flags":[],"bw_info":{"dram_read":"x"}}}]})");
  ASSERT_EQ(trace.events.size(), 1U);
  EXPECT_EQ(trace.events[0].start, 0);
  EXPECT_EQ(trace.events[0].duration, std::int64_t{1} << 40);
  EXPECT_EQ(trace.events[0].dram_read_bytes, 0);
}

TEST(Schematic, reads_names_borders_and_graph) {
  const Schematic schematic = parse_schematic(
      "# summary\ngraph = {\n\t0x0000000000000002: {\n\t\t'operation':'q::Input',\n\t},\n"
      "\t0x0000000000000003: {\n\t\t'operation':'q::Output',\n\t},\n}\n"
      "qnn_name_translations = {\n0x0000000000000011: 'it's, a \"name\"',\n"
      "0x0000410000000019: '/b/Conv_token_1',\n}\n0x0000000000000012: 'outside',\n"
      "qnn_graph_name = \"qnn_1_0\"\n");
  EXPECT_EQ(schematic.graph_name, "qnn_1_0");
  EXPECT_EQ(schematic.input_id, 2U);
  EXPECT_EQ(schematic.output_id, 3U);
  ASSERT_EQ(schematic.op_names.size(), 2U);
  EXPECT_EQ(schematic.op_names.at(0x11), "it's, a \"name\"");
  EXPECT_EQ(schematic.op_names.at(0x19), "/b/Conv_token_1");
}

TEST(Schematic, broken_text_gives_what_it_holds) {
  EXPECT_TRUE(parse_schematic("").op_names.empty());
  const Schematic schematic = parse_schematic(
      "\nqnn_name_translations = {\n0x11: 'a',\n0xzz: 'b',\n0x12: 'c',\n\nqnn_graph_name = \"g");
  EXPECT_EQ(schematic.op_names.size(), 1U);
  EXPECT_EQ(schematic.graph_name, "g");
  EXPECT_EQ(schematic.input_id, std::nullopt);
}

}  // namespace
}  // namespace hexquant::profiling
