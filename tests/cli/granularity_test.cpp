#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class GranularityTest : public ProgramTest {};

TEST_F(GranularityTest, measures_every_layer_and_fits_its_schema) {
  const RunResult result = run({"granularity", model("tiny_cnn.onnx"), "--json", "-"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_THAT(test::schema_violations(test::published_schema("granularity"), json), IsEmpty());
  std::int64_t elements = 0;
  for (const Json& row : json["weights"]) {
    elements += row["elements"].get<std::int64_t>();
    EXPECT_EQ(row["runs"]["tensor"], true);
  }
  EXPECT_EQ(json["total"]["elements"], elements);
  const Json& errors = json["total"]["symmetric"];
  EXPECT_LE(errors["channel"]["mse"].get<double>(), errors["tensor"]["mse"].get<double>());
}

TEST_F(GranularityTest, four_bits_cost_about_24_db) {
  const RunResult eight = run({"granularity", model("tiny_cnn.onnx"), "--json", "-"});
  const RunResult four =
      run({"granularity", model("tiny_cnn.onnx"), "--weight-bits", "4", "--json", "-"});
  const auto sqnr_db = [](const RunResult& result) {
    return Json::parse(result.out)["total"]["symmetric"]["tensor"]["sqnr_db"].get<double>();
  };
  constexpr double kLuckDb = 4.0;  // few weights: the noise is not uniform
  EXPECT_NEAR(sqnr_db(eight) - sqnr_db(four), 24.0, kLuckDb);
}

TEST_F(GranularityTest, writes_a_page_that_loads_nothing) {
  const RunResult result = run({"granularity", model("tiny_cnn.onnx"), "-o", "page.html"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("group:128"));
  const std::string page = read_file(folder_ / "page.html");
  EXPECT_THAT(page, HasSubstr("hexquant-granularity-1"));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST_F(GranularityTest, unknown_chip_is_one_line_and_status_2) {
  const RunResult result = run({"granularity", model("tiny_cnn.onnx"), "--soc", "nope"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
}

}  // namespace
}  // namespace hexquant::cli
