#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "support/htp.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Digits network with fixed shapes, quantized and then scored on the simulator.
class EvaluateOnHtp : public ProgramTest {
 protected:
  void quantize() const {
    const RunResult result =
        run({"quantize", example("model.onnx"), "--data", example("calibration_images.npy"),
             "--preprocess", example("preprocess.json"), "--samples", "64", "-o", path("out")});
    ASSERT_EQ(result.status, 0) << result.err;
  }

  [[nodiscard]] RunResult evaluate(const std::vector<std::string>& more,
                                   const std::string& prefix = "") const {
    std::vector<std::string> arguments = {"evaluate",     path("out/model.onnx"),
                                          "--device",     "htp",
                                          "--data",       example("test_images.npy"),
                                          "--preprocess", example("preprocess.json"),
                                          "--labels",     example("test_labels.npy"),
                                          "--samples",    "40",
                                          "--json",       path("r.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments, prefix);
  }
};

TEST_F(EvaluateOnHtp, AgreesWithTheCpuAndNamesTheWorstTensors) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  // The free batch of the file is fixed by the samples.
  const RunResult result = evaluate({"--reference", path("out/model_float.onnx"), "--soc", "SM8750",
                                     "--layers", "--layer-samples", "4"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("(SM8750 HTP)"));
  EXPECT_THAT(result.out, HasSubstr("no tensor below 20 dB"));
  const Json json = read_json(path("r.json"));
  EXPECT_THAT(test::schema_violations(test::published_schema("evaluate"), json), IsEmpty());
  EXPECT_EQ(json["device"], "htp");
  ASSERT_EQ(json["models"].size(), 3U);
  const Json& cpu = json["models"][1];
  const Json& htp = json["models"][2];
  EXPECT_FALSE(cpu.contains("against_cpu"));
  EXPECT_NEAR(htp["metrics"]["top1"].get<double>(), cpu["metrics"]["top1"].get<double>(), 0.05);
  EXPECT_GT(htp["against_cpu"]["agreement"].get<double>(), 0.95);
  // Other rounding than the CPU's, so not exact; the same computation, so close.
  EXPECT_GT(htp["against_cpu"]["sqnr_db"].get<double>(), 30.0);
  EXPECT_FALSE(htp["against_cpu"]["exact"].get<bool>());
  EXPECT_GT(json["layers"].size(), 10U);
}

TEST_F(EvaluateOnHtp, NamesTheFirstTensorThatDeparts) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  const RunResult result = evaluate({"--layers", "--layer-samples", "2", "--departs-below", "100"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("first tensor below 100 dB: /stem/"));
  // One model: it is its own reference.
  EXPECT_EQ(read_json(path("r.json"))["models"].size(), 2U);
}

TEST_F(EvaluateOnHtp, HasResultsThatDoNotDependOnTheWorkers) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  std::vector<Json> results;
  for (const char* threads : {"1", "2"}) {
    ASSERT_EQ(evaluate({"--threads", threads}).status, 0);
    results.push_back(read_json(path("r.json"))["models"][1]["against_cpu"]);
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_F(EvaluateOnHtp, SaysHowToGetTheSimulator) {
  quantize();
  const RunResult result = evaluate({}, "HEXQUANT_QNN_ROOT= XDG_DATA_HOME=" + path("nowhere"));
  EXPECT_EQ(result.status, 3);
  EXPECT_THAT(result.err, HasSubstr("hexquant setup htp"));
}

}  // namespace
}  // namespace hexquant::cli
