#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/report_testing.h"
#include "support/json_schema.h"

namespace hexquant::report {
namespace {

using test::kHeader;
using test::kNan;
using test::small_report;

TEST(ReportJson, fits_its_schema) {
  const Json schema = hexquant::test::published_schema("report");
  const Json json = report_json(small_report(), kHeader);
  EXPECT_THAT(hexquant::test::schema_violations(schema, json), testing::IsEmpty());
  Json broken = json;
  broken["summary"].erase("agreement");
  EXPECT_EQ(hexquant::test::schema_violations(schema, broken).size(), 1U);
}

TEST(ReportJson, an_empty_report_fits_its_schema) {
  QuantizeReport report;
  report.recipe = Json::object();
  EXPECT_THAT(hexquant::test::schema_violations(hexquant::test::published_schema("report"),
                                                report_json(report, kHeader)),
              testing::IsEmpty());
}

TEST(ReportJson, bits_are_those_of_the_weights_or_else_of_the_output) {
  const Json layers = report_json(small_report(), kHeader)["layers"];
  EXPECT_EQ(layers[0]["requested_bits"], 4);
  EXPECT_EQ(layers[0]["effective_bits"], 8);
  EXPECT_TRUE(layers[1]["weight_bits"].is_null());
  EXPECT_EQ(layers[1]["requested_bits"], 8);
  EXPECT_EQ(layers[1]["effective_bits"], 16);
}

TEST(ReportJson, no_noise_and_no_measurement_are_told_apart) {
  QuantizeReport report = small_report();
  report.layers[0].sqnr_db = kNan;
  const Json layers = report_json(report, kHeader)["layers"];
  EXPECT_TRUE(layers[0]["sqnr_db"].is_null());
  EXPECT_EQ(layers[0]["exact"], false);
  EXPECT_TRUE(layers[1]["sqnr_db"].is_null());
  EXPECT_EQ(layers[1]["exact"], true);
}

TEST(ReportJson, rounding_says_what_each_step_left) {
  const Json rows = report_json(small_report(), kHeader)["rounding"];
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["output_sqnr_db"],
            Json({{"min_max", 20.0}, {"clip_search", 22.0}, {"gptq", 26.0}, {"result", 26.5}}));
  EXPECT_EQ(rows[0]["clamped_sqnr_db"], Json({{"before", 24.0}, {"result", 25.0}}));
  EXPECT_EQ(rows[1]["clamped_sqnr_db"], Json({{"before", nullptr}, {"result", nullptr}}));
  EXPECT_TRUE(rows[1]["output_sqnr_db"]["result"].is_null());
}

TEST(ReportJson, rounding_without_its_clamped_part_breaks_the_schema) {
  const Json schema = hexquant::test::published_schema("report");
  Json json = report_json(small_report(), kHeader);
  json["rounding"][0].erase("clamped_sqnr_db");
  EXPECT_EQ(hexquant::test::schema_violations(schema, json).size(), 1U);
}

TEST(ReportJson, equalization_is_there_only_with_groups) {
  QuantizeReport report = small_report();
  const Json rows = report_json(report, kHeader)["equalization"];
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["error_after"], 0.01);
  EXPECT_TRUE(rows[1]["error_before"].is_null());
  report.equalization.clear();
  EXPECT_FALSE(report_json(report, kHeader).contains("equalization"));
}

TEST(ReportJson, top1_is_there_when_it_was_not_measured) {
  QuantizeReport report = small_report();
  report.summary.fp32 = {{"sqnr", test::kInfinity}};
  report.summary.quantized.clear();
  report.summary.interval.reset();
  report.summary.agreement = kNan;
  const Json summary = report_json(report, kHeader)["summary"];
  EXPECT_TRUE(summary["fp32"].at("top1").is_null());
  EXPECT_TRUE(summary["quantized"].at("top1").is_null());
  EXPECT_TRUE(summary["fp32"].at("sqnr").is_null());
  EXPECT_TRUE(summary.at("interval").is_null());
  EXPECT_TRUE(summary.at("agreement").is_null());
}

TEST(ReportJson, threads_change_nothing_but_their_own_numbers) {
  QuantizeReport other = small_report();
  other.threads = 7;
  other.peak_rss_bytes = 99;
  other.seconds = {{"total", 0.1}};
  Json a = report_json(small_report(), kHeader);
  Json b = report_json(other, kHeader);
  EXPECT_NE(a, b);
  for (const char* key : {"threads", "peak_rss_bytes", "seconds"}) {
    a.erase(key);
    b.erase(key);
  }
  EXPECT_EQ(to_text(a), to_text(b));
}

}  // namespace
}  // namespace hexquant::report
