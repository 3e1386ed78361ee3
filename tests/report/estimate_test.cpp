#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/json.h"
#include "report/browser_testing.h"
#include "report/estimate_html.h"
#include "report/estimate_text.h"

namespace hexquant::report {
namespace {

using testing::HasSubstr;
using testing::Not;

Json layer(const std::string& name, double time_us, double share) {
  return {{"name", name},          {"op", "Conv"},   {"time_us", time_us},
          {"share", share},        {"bound", "dma"}, {"hmx_us", 1.5},
          {"hvx_us", 0.25},        {"dma_us", 3.0},  {"dram_read_bytes", 2'000'000},
          {"vtcm_peak_bytes", 512}};
}

Json estimate() {
  return {
      {"soc", "SA8255"},
      {"htp_arch", "v73"},
      {"available", true},
      {"cycles", 15000},
      {"cycles_lower", 14000},
      {"cycles_upper", 16000},
      {"time_us", 10.0},
      {"lower_us", 9.25},
      {"upper_us", 11.5},
      {"clock_mhz", 1500.0},
      {"ddr_bytes",
       {{"input_fill", 2'000'000},
        {"intermediate_fill", 3000},
        {"intermediate_spill", 4000},
        {"output_spill", 10},
        {"inter_htp_fill", 0},
        {"inter_htp_spill", 0}}},
      {"missing_ops", 0},
      {"machine", {{"vtcm_bytes", 8'388'608}}},
      {"vtcm_peak_bytes", 65536},
      {"time_split",
       {{"hmx_us", 5.0}, {"hvx_us", 2.5}, {"dma_us", 1.5}, {"control_us", 0.5}, {"idle_us", 0.5}}},
      {"timeline", nullptr},
      {"layers", {layer("/a/Conv", 6.0, 0.6), layer("/b/Conv", 3.0, 0.3)}},
      {"findings", Json::array()}};
}

TEST(EstimateText, shows_totals_with_their_band) {
  const std::string text = estimate_text(estimate());
  EXPECT_THAT(text, HasSubstr("estimate   10.00 us (9.25 to 11.50 us) on SA8255: the vendor's "
                              "simulation, not a measurement\n"));
  EXPECT_THAT(text, HasSubstr("cycles     15000 (14000 to 16000) at 1500.0 MHz\n"));
  EXPECT_THAT(text,
              HasSubstr("DDR        1.91 MiB read, 3.9 KiB written, of that 3.9 KiB spilled and "
                        "2.9 KiB filled again\n"));
  EXPECT_THAT(
      text,
      HasSubstr("time       HMX 50.0 %, HVX 25.0 %, DMA 15.0 %, control 5.0 %, idle 5.0 %\n"));
  EXPECT_THAT(text, HasSubstr("VTCM       64.0 KiB of 8.00 MiB at most\n"));
  EXPECT_THAT(text, Not(HasSubstr("no cost")));
}

TEST(EstimateText, bars_are_relative_to_the_longest_layer) {
  const std::string text = estimate_text(estimate());
  EXPECT_THAT(text, HasSubstr("60.0% #################### dma"));
  EXPECT_THAT(text, HasSubstr("30.0% ##########.......... dma"));
  EXPECT_THAT(estimate_text(estimate(), 1), HasSubstr("... 1 more"));
  EXPECT_THAT(estimate_text(estimate(), 1), Not(HasSubstr("/b/Conv")));
}

TEST(EstimateText, long_names_keep_their_end) {
  Json json = estimate();
  json["layers"] = {layer(std::string(60, 'x') + "/last/Conv", 6.0, 0.6)};
  const std::string text = estimate_text(json);
  EXPECT_THAT(text, HasSubstr("..." + std::string(27, 'x') + "/last/Conv  Conv"));
}

TEST(EstimateText, says_what_is_missing) {
  Json json = estimate();
  json["missing_ops"] = 64;
  EXPECT_THAT(estimate_text(json), HasSubstr("no cost    64 operations count as free\n"));
  json["layers"] = Json::array();
  json["clock_mhz"] = nullptr;
  EXPECT_THAT(estimate_text(json), Not(HasSubstr("layer (most")));
  EXPECT_EQ(estimate_text({{"available", false}, {"soc", "SM8650"}, {"htp_arch", "v75"}}),
            "estimate   none: the vendor's simulator does not know SM8650 (HTP v75)\n");
}

TEST(EstimateHtml, holds_data_and_scripts_and_no_foreign_markup) {
  Json json = estimate();
  json["model"] = "out/<b>net.onnx";
  json["layers"][0]["name"] = "</script><script>alert(1)</script>";
  const std::string page = estimate_html(json);
  EXPECT_THAT(page, HasSubstr("<title>&lt;b&gt;net.onnx: performance estimate</title>"));
  EXPECT_THAT(page, Not(HasSubstr("alert(1)</script>")));
  EXPECT_THAT(page, HasSubstr("function timelineView("));
  EXPECT_THAT(page, HasSubstr("\"time_us\":10.0"));
}

using EstimatePage = test::BrowserTest;

/// A whole result as the page gets it.
Json page_data() {
  Json json = estimate();
  json.update({{"model", "net.onnx"},
               {"schema", "hexquant-compile-1"},
               {"versions", {{"hexquant", "1"}}},
               {"bound", "hmx"},
               {"busy", {{"hmx_us", 5.0}, {"hvx_us", 3.0}, {"dma_us", 4.0}, {"control_us", 2.0}}}});
  for (Json& row : json["layers"]) {
    row.update({{"kind", "layer"},
                {"graph", 0},
                {"start_us", 0.0},
                {"span_us", 7.0},
                {"control_us", 0.5},
                {"hvx_thread_us", 1.0},
                {"dram_write_bytes", 0},
                {"dma_read_bytes", 0},
                {"dma_write_bytes", 0},
                {"hardware_ops", 4},
                {"tiles", 2},
                {"onnx_nodes", Json::array()},
                {"qnn_ops", {"q"}}});
  }
  json["timeline"] = {{"layers", {"/a/Conv", "/b/Conv"}},
                      {"operations", {"q::Conv"}},
                      {"graphs",
                       {{{"cycles", 15000},
                         {"lanes", {{{"name", "FG"}, {"boxes", {0, 9000, 0, 0, 0}}}}},
                         {"vtcm", {0, 2048, 500, 65536}},
                         {"vtcm_bytes", 8'388'608}}}}};
  return json;
}

TEST_F(EstimatePage, draws_totals_timeline_and_layers) {
  const std::string page = drawn(estimate_html(page_data()));
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  for (const char* id : {"split", "timeline", "layers", "findings"}) {
    EXPECT_THAT(page, HasSubstr(std::string("<section id=\"") + id + "\"")) << id;
  }
  EXPECT_THAT(page, HasSubstr("not a measurement"));
  EXPECT_THAT(page, HasSubstr("<canvas class=\"timeline\""));
  EXPECT_THAT(page, HasSubstr("HMX 5.00 \u00b5s (50.0 %)"));
  EXPECT_THAT(page, HasSubstr("title=\"/b/Conv\""));
}

TEST_F(EstimatePage, says_that_there_is_none) {
  const std::string page = drawn(estimate_html({{"model", "net.onnx"},
                                                {"schema", "hexquant-compile-1"},
                                                {"soc", "SM8650"},
                                                {"htp_arch", "v75"},
                                                {"available", false},
                                                {"findings", Json::array()},
                                                {"timeline", nullptr}}));
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, HasSubstr("No estimate"));
  EXPECT_THAT(page, Not(HasSubstr("<section id=\"timeline\"")));
}

}  // namespace
}  // namespace hexquant::report
