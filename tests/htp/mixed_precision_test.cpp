#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "support/htp.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MixedPrecisionOnHtp : public ProgramTest {
 protected:
  [[nodiscard]] RunResult search(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"mixed-precision",
                                          example("model.onnx"),
                                          "--data",
                                          example("calibration_images.npy"),
                                          "--preprocess",
                                          example("preprocess.json"),
                                          "--input-shape",
                                          "image=1,1,16,16",
                                          "--samples",
                                          "16",
                                          "--weight-bits",
                                          "4:all",
                                          "--metric",
                                          "sqnr",
                                          "--evaluate",
                                          "16",
                                          "--max-evaluations",
                                          "6",
                                          "-o",
                                          "out",
                                          "--json",
                                          "m.json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
};

TEST_F(MixedPrecisionOnHtp, EveryPointIsEstimatedAndRunsInIntegers) {
  HEXQUANT_NEEDS_HTP();
  const RunResult result = search({"--max-loss", "0.003", "--soc", "SA8255", "--estimate"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("vendor us"));
  const Json json = read_json(path("m.json"));
  EXPECT_THAT(test::schema_violations(test::published_schema("mixed-precision"), json), IsEmpty());
  for (const Json& point : json["points"]) {
    EXPECT_GT(point["vendor"]["time_us"].get<double>(), 1.0) << point;
    EXPECT_EQ(point["vendor"]["nodes_elsewhere"], 0) << point;
    EXPECT_EQ(point["vendor"]["failure"], "");
  }
  // 16 bits everywhere cost more than 4-bit weights with 8-bit values.
  EXPECT_GT(json["points"][1]["vendor"]["time_us"].get<double>(),
            1.2 * json["points"][0]["vendor"]["time_us"].get<double>());
  EXPECT_THAT(read_file(folder_ / "out" / "pareto.csv"), HasSubstr("vendor_us"));
}

TEST_F(MixedPrecisionOnHtp, AMixtureOfWidthsComputesWhatTheCpuComputes) {
  HEXQUANT_NEEDS_HTP();
  // A target that needs layers of 16 bits beside layers of 8 and 4.
  ASSERT_EQ(search({"--max-loss", "0.0004"}).status, 0);
  const Json found = read_json(path("m.json"));
  const Json& chosen = found["points"][found["chosen"].get<std::size_t>()];
  ASSERT_GT(chosen["converts"].get<int>(), 0) << chosen;
  const RunResult result =
      run({"evaluate", "out/model.onnx", "--device", "htp", "--data", example("test_images.npy"),
           "--preprocess", example("preprocess.json"), "--labels", example("test_labels.npy"),
           "--samples", "40", "--json", "r.json"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json json = read_json(path("r.json"));
  const Json& cpu = json["models"][0];
  const Json& htp = json["models"][1];
  EXPECT_NEAR(htp["metrics"]["top1"].get<double>(), cpu["metrics"]["top1"].get<double>(), 0.05);
  EXPECT_GT(htp["against_cpu"]["agreement"].get<double>(), 0.95);
  EXPECT_GT(htp["against_cpu"]["sqnr_db"].get<double>(), 30.0);
}

TEST_F(MixedPrecisionOnHtp, AChipWithoutEstimatesIsAFinding) {
  HEXQUANT_NEEDS_HTP();
  const RunResult result = search({"--int16-ratio", "0.2", "--soc", "SM8650", "--estimate"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("estimate-unavailable"));
  EXPECT_TRUE(read_json(path("m.json"))["points"][0]["vendor"].is_null());
}

}  // namespace
}  // namespace hexquant::cli
