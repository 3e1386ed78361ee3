#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class EncodingsCommand : public ProgramTest {
 protected:
  [[nodiscard]] static std::string aimet(const std::string& name) {
    return std::string(HEXQUANT_SOURCE_DIR) + "/tests/formats/aimet/" + name;
  }

  /// Runs `encodings COMMAND` with --json - and checks the result against its schema.
  [[nodiscard]] Json json_of(std::vector<std::string> arguments, int status) const {
    const std::string command = arguments.front();
    arguments.insert(arguments.begin(), "encodings");
    arguments.insert(arguments.end(), {"--json", "-"});
    const RunResult result = run(arguments);
    EXPECT_EQ(result.status, status) << result.err;
    Json json = Json::parse(result.out);
    EXPECT_THAT(test::schema_violations(test::published_schema("encodings-" + command), json),
                IsEmpty());
    return json;
  }

  void write(const std::string& name, const Json& json) const {
    write_file(folder_ / name, to_text(json));
  }
};

TEST_F(EncodingsCommand, ConvertGivesWhatTheExporterWrites) {
  const Json result = json_of({"convert", aimet("per_channel_1.0.0.encodings"), "--to", "2.0.0",
                               "--model", aimet("net.onnx"), "-o", "two.encodings"},
                              0);
  EXPECT_EQ(result["read"], 14);
  EXPECT_EQ(result["written"], 14);
  Json made = read_json(folder_ / "two.encodings");
  EXPECT_EQ(made["version"], "2.0.0");
  // The exporter's own 2.0.0 file has the bias and the Reshape's output besides.
  const RunResult diff =
      run({"encodings", "diff", "two.encodings", aimet("per_channel_2.0.0.encodings")});
  EXPECT_EQ(diff.status, 1);
  EXPECT_THAT(diff.out, HasSubstr("added b1\n"));
  EXPECT_THAT(diff.out, HasSubstr("added f\n"));
  EXPECT_THAT(diff.out, HasSubstr("2 differences"));
}

TEST_F(EncodingsCommand, ConvertNamesWhatIsLostAndExitsWithOne) {
  const RunResult result =
      run({"encodings", "convert", aimet("lpbq_1.0.0.encodings"), "--to", "0.6.1", "-o", "o.json"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("error: w2: 0.6.1 cannot express scales for each block"));
  EXPECT_THAT(result.out, HasSubstr("12 of 14 encodings written"));
  const Json made = read_json(folder_ / "o.json");
  EXPECT_FALSE(made.at("param_encodings").contains("w2"));
  EXPECT_EQ(made.at("param_encodings").at("w1").size(), 16U);
}

TEST_F(EncodingsCommand, LintPassesExportedFilesAndFindsAWrongName) {
  const Json good = json_of({"lint", aimet("per_channel_0.6.1.encodings"), "--model",
                             aimet("net.onnx"), "--soc", "SM8650"},
                            0);
  EXPECT_EQ(good["counts"]["matched"], 14);
  EXPECT_EQ(good["counts"]["unknown"], 0);
  Json file = read_json(aimet("per_channel_0.6.1.encodings"));
  file["activation_encodings"]["wide_"] = file["activation_encodings"]["wide"];
  file["activation_encodings"].erase("wide");
  write("bad.json", file);
  const Json bad = json_of({"lint", "bad.json", "--model", aimet("net.onnx")}, 1);
  EXPECT_EQ(bad["counts"]["unknown"], 1);
  EXPECT_EQ(bad["counts"]["missing"], 1);
  const RunResult text = run({"encodings", "lint", "bad.json", "--model", aimet("net.onnx")});
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.out, HasSubstr("error: wide_: the model has no tensor of this name: converters "
                                  "ignore the entry -> did you mean 'wide'?"));
}

TEST_F(EncodingsCommand, LintPassesWhatQuantizeWritesInEveryVersion) {
  write_samples("x.npy", {4, 3, 8, 8});
  for (const char* version : {"0.6.1", "1.0.0", "2.0.0"}) {
    const RunResult made = run({"quantize", model("tiny_cnn.onnx"), "--data", "x.npy", "-o",
                                version, "--encodings-version", version});
    ASSERT_EQ(made.status, 0) << made.err;
    const std::string folder = version;
    EXPECT_EQ(read_json(folder_ / version / "model.encodings").at("version"), version);
    const RunResult lint = run({"encodings", "lint", folder + "/model.encodings", "--model",
                                folder + "/model_float.onnx", "--soc", "SM8650"});
    EXPECT_EQ(lint.status, 0) << lint.out;
    const RunResult overrides = run(
        {"encodings", "lint", folder + "/overrides.json", "--model", folder + "/model_float.onnx"});
    EXPECT_EQ(overrides.status, 0) << overrides.out;
  }
  // The same numbers in all three; 2.0.0 has the biases besides.
  const RunResult same =
      run({"encodings", "diff", "0.6.1/model.encodings", "1.0.0/model.encodings"});
  EXPECT_EQ(same.status, 0) << same.out;
  const Json more = json_of({"diff", "1.0.0/model.encodings", "2.0.0/model.encodings"}, 1);
  for (const Json& difference : more["differences"]) EXPECT_EQ(difference["kind"], "added");
}

TEST_F(EncodingsCommand, QuantizeSaysWhatAVersionCannotHold) {
  write_samples("x.npy", {4, 3, 8, 8});
  const RunResult made =
      run({"quantize", aimet("net.onnx"), "--data", "x.npy", "-o", "out", "--encodings-version",
           "0.6.1", "--weight-bits", "4:all", "--act-bits", "16", "--granularity", "group:16"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("[blocks-dropped]"));
}

TEST_F(EncodingsCommand, BadInputIsOneLineAndStatus2) {
  write_file(folder_ / "bad.json", "{\n  \"encodings\": [\n    {\"name\": 1}]}");
  expect_refused(run({"encodings", "lint", "bad.json", "--model", aimet("net.onnx")}),
                 "bad.json: encodings[0].name: expected a string, got 1");
  write_file(folder_ / "broken.json", "{\n  \"encodings\": [}");
  expect_refused(run({"encodings", "diff", "broken.json", "bad.json"}),
                 "broken.json:2:17: not valid");
  const RunResult version =
      run({"encodings", "convert", "bad.json", "--to", "3.0.0", "-o", "o.json"});
  EXPECT_EQ(version.status, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "o.json"));
}

}  // namespace
}  // namespace hexquant::cli
