#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "cli/cli_testing.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

/// From quantize to a device and back, with this program in the place of qnn-net-run.
class GoldenRoundTrip : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    const RunResult result = run(
        {"quantize", example("model.onnx"), "--data", example("test_images.npy"), "--preprocess",
         example("preprocess.json"), "--samples", "16", "--golden", "3", "-o", "out"});
    ASSERT_EQ(result.status, 0) << result.err;
    ASSERT_THAT(result.out, HasSubstr("3 samples for a device"));
  }
  /// The script as a device runs it. @return its exit status
  [[nodiscard]] int run_on_device(const std::string& environment = "") const {
    const std::string command = "cd " + quoted(path("out/golden")) + " && " + environment +
                                " MODEL=../libmodel_qnn.so NET_RUN=" +
                                quoted(std::string(HEXQUANT_PROGRAM) + " net-run --device cpu") +
                                " sh ./run_on_device.sh >/dev/null 2>&1";
    return std::system(command.c_str());
  }
  [[nodiscard]] Json evaluate(std::vector<std::string> more, int status = 0) const {
    std::vector<std::string> arguments = {
        "evaluate",  "out/model.onnx",    "--data", "out/golden/input_list.txt",
        "--outputs", "out/golden/output", "--json", "r.json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = run(arguments);
    EXPECT_EQ(result.status, status) << result.err;
    Json json = read_json(path("r.json"));
    EXPECT_THAT(test::schema_violations(test::published_schema("evaluate"), json), IsEmpty());
    return json;
  }
  /// Layers that differ by more than the last bits: fused kernels of the CPU sum in another order.
  [[nodiscard]] static std::int64_t departed(const Json& result) {
    return std::count_if(result["layers"].begin(), result["layers"].end(), [](const Json& layer) {
      return !layer["exact"].get<bool>() && layer["sqnr_db"].get<double>() < 100.0;
    });
  }
  [[nodiscard]] static std::vector<fs::path> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
  }
};

TEST_F(GoldenRoundTrip, BringsBackWhatWasExpected) {
  ASSERT_EQ(run_on_device(), 0);
  for (int i = 0; i < 3; ++i) {
    const fs::path expected = path(format("out/golden/reference/Result_{}", i));
    for (const fs::path& file : files_of(expected)) {
      const fs::path written = path(format("out/golden/output/Result_{}", i)) / file.filename();
      EXPECT_EQ(read_file(written), read_file(file)) << written;
    }
    EXPECT_EQ(files_of(expected).size(), 1U);
  }
  const Json json = evaluate({});
  EXPECT_EQ(json["device"], "recorded");
  EXPECT_EQ(json["samples"], 3);
  EXPECT_EQ(json["models"].size(), 2U);
  EXPECT_EQ(json["models"][1]["agreement"], 1.0);
}

/// One wrong number on the way back is seen: in the sample's outputs, and in the layer it is of.
TEST_F(GoldenRoundTrip, FindsTheLayerThatDeparts) {
  ASSERT_EQ(run_on_device("DEBUG=1"), 0);
  const Json before = evaluate({"--layers"});
  ASSERT_GT(before["layers"].size(), 5U);
  EXPECT_EQ(departed(before), 0);
  const std::vector<fs::path> dumps = files_of(path("out/golden/output/Result_1"));
  ASSERT_GT(dumps.size(), 5U);
  std::string bytes = read_file(dumps[2]);
  const float wrong = 1e6F;
  std::memcpy(bytes.data(), &wrong, sizeof(wrong));
  write_file(dumps[2], bytes);
  const Json after = evaluate({"--layers"});
  EXPECT_EQ(departed(after), 1);
}

TEST_F(GoldenRoundTrip, RefusesWhatCannotBeScored) {
  const auto outputs = [&](const std::string& folder) {
    return run(
        {"evaluate", "out/model.onnx", "--data", "out/golden/input_list.txt", "--outputs", folder});
  };
  EXPECT_THAT(outputs("none").err, HasSubstr("none/Result_0: no such folder"));
  ASSERT_EQ(run_on_device(), 0);
  const fs::path file = files_of(path("out/golden/output/Result_2")).front();
  write_file(file, "short");
  const RunResult cut = outputs("out/golden/output");
  EXPECT_EQ(cut.status, 2);
  EXPECT_THAT(cut.err, HasSubstr("5 bytes, expected"));
  fs::remove_all(path("out/golden/output/Result_2"));
  EXPECT_THAT(outputs("out/golden/output").err, HasSubstr("3 samples need Result_0 to Result_2"));
}

/// What `qat --prefix` called NAME.onnx is found by whatever takes the folder.
TEST_F(GoldenRoundTrip, FollowsThePrefixOfTheRecipe) {
  Json recipe = read_json(path("out/recipe.json"));
  recipe["prefix"] = "digits";
  write_file(path("named.json"), to_text(recipe));
  const RunResult quantized =
      run({"quantize", "--recipe", "named.json", "--golden", "2", "-o", "named"});
  ASSERT_EQ(quantized.status, 0) << quantized.err;
  EXPECT_TRUE(fs::exists(path("named/digits.onnx")));
  EXPECT_EQ(files_of(path("named/golden/reference")).size(), 2U);
  const RunResult run_folder = run({"net-run", "named", "--no_output"});
  EXPECT_EQ(run_folder.status, 0) << run_folder.err;
  EXPECT_THAT(run_folder.out, HasSubstr("named/digits.onnx"));
  const RunResult checked = run({"check", "named", "--no-run"});
  EXPECT_EQ(checked.status, 1) << checked.err;  // 16 samples are too few
  EXPECT_THAT(checked.out, HasSubstr("hexquant optimize named/digits.onnx"));
}

}  // namespace
}  // namespace hexquant::cli
