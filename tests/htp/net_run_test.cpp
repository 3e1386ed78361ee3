#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "support/htp.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The digits network, quantized, run on the simulator.
class NetRunOnHtp : public ProgramTest {
 protected:
  void quantize() const {
    const RunResult result =
        run({"quantize", example("model.onnx"), "--data", example("calibration_images.npy"),
             "--preprocess", example("preprocess.json"), "--samples", "64", "-o", "out"});
    ASSERT_EQ(result.status, 0) << result.err;
  }
  /// Four inferences with a profile, and what `profile` reads from it.
  [[nodiscard]] Json profiled(const std::string& level) const {
    const RunResult result =
        run({"net-run", "out", "--device", "htp", "--num_inferences", "4", "--profiling_level",
             level, "--output_dir", level, "--json", "r.json"});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("hexquant profile " + level + "/profile.csv"));
    const Json json = read_json(path("r.json"));
    EXPECT_THAT(test::schema_violations(test::published_schema("net-run"), json), IsEmpty());
    EXPECT_EQ(json["latency"]["count"], 4);
    EXPECT_EQ(json["stability"]["differing"], 0);
    EXPECT_EQ(json["profile"], level + "/profile.csv");
    const RunResult read =
        run({"profile", level + "/profile.csv", "--model", "out/model.onnx", "--json", "p.json"});
    EXPECT_EQ(read.status, 0) << read.err;
    return read_json(path("p.json"))["profiles"][0];
  }
  /// Measurements of a total in a profile; 0 when it has none.
  [[nodiscard]] static int count_of(const Json& profile, const std::string& name) {
    for (const Json& total : profile["totals"]) {
      if (total["name"] == name) return total["count"].get<int>();
    }
    return 0;
  }
};

TEST_F(NetRunOnHtp, TimesEveryNode) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  const Json profile = profiled("detailed");
  EXPECT_EQ(profile["format"], "qnn-csv");
  EXPECT_EQ(profile["malformed_lines"], 0);
  EXPECT_EQ(count_of(profile, "Accelerator (execute) time"), 3);
  int convolutions = 0;
  for (const Json& row : profile["rows"]) {
    if (row["op"] != "Conv") continue;
    ++convolutions;
    EXPECT_GT(row["amount"].get<double>(), 0.0) << row["node"];
    EXPECT_EQ(row["count"], 3) << row["node"];
  }
  EXPECT_EQ(convolutions, 7);
}

TEST_F(NetRunOnHtp, TimesThePartsOfACall) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  const Json profile = profiled("basic");
  EXPECT_TRUE(profile["rows"].empty());
  EXPECT_EQ(count_of(profile, "QNN (execute) time"), 3);
  EXPECT_EQ(count_of(profile, "QNN (finalize) time"), 1);
}

}  // namespace
}  // namespace hexquant::cli
