#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/cli_testing.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class OverridesTest : public ProgramTest {
 protected:
  /// Quantizes the digits network into `out`.
  [[nodiscard]] RunResult quantize(const std::string& out,
                                   const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"quantize",
                                          example("model.onnx"),
                                          "--data",
                                          example("calibration_images.npy"),
                                          "--preprocess",
                                          example("preprocess.json"),
                                          "--samples",
                                          "32",
                                          "-v",
                                          "-o",
                                          out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  [[nodiscard]] std::string bytes(const std::string& name) const {
    return read_file(folder_ / name);
  }

  void write(const std::string& name, const std::string& text) const {
    write_file(folder_ / name, text);
  }

  /// The overrides.json of a result.
  [[nodiscard]] Json overrides(const std::string& out) const {
    return read_json(folder_ / out / "overrides.json");
  }

  void expect_same_results(const std::string& a, const std::string& b) const {
    for (const char* file :
         {"model.onnx", "model_float.onnx", "model.encodings", "overrides.json"}) {
      EXPECT_TRUE(bytes(a + "/" + file) == bytes(b + "/" + file)) << file;
    }
  }
};

TEST_F(OverridesTest, what_quantize_writes_gives_the_same_model_again) {
  ASSERT_EQ(quantize("a", {}).status, 0);
  const RunResult again = quantize("b", {"--overrides", "a/overrides.json"});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("tensors are named in full [override-matched]"));
  expect_same_results("a", "b");
}

TEST_F(OverridesTest, mixed_precision_and_float_islands_come_back_from_the_file_alone) {
  ASSERT_EQ(quantize("a", {"--layer-bits", "op:Gemm=w16a16", "--layer-bits",
                           "op:GlobalAveragePool=a16", "--keep-float", "op:Add"})
                .status,
            0);
  std::string text = bytes("a/overrides.json");
  EXPECT_THAT(text, HasSubstr("\"float\""));
  EXPECT_THAT(text, HasSubstr("\"bitwidth\": 16"));
  ASSERT_EQ(quantize("b", {"--overrides", "a/overrides.json"}).status, 0);
  expect_same_results("a", "b");
}

TEST_F(OverridesTest, weight_methods_leave_given_numbers_alone) {
  ASSERT_EQ(quantize("a", {"--granularity", "tensor"}).status, 0);
  const RunResult free = quantize("b", {"--granularity", "tensor", "--algorithms", "cle,gptq"});
  ASSERT_EQ(free.status, 0) << free.err;
  EXPECT_FALSE(bytes("a/model.onnx") == bytes("b/model.onnx"));
  const RunResult given = quantize("c", {"--granularity", "tensor", "--algorithms", "cle,gptq",
                                         "--overrides", "a/overrides.json"});
  ASSERT_EQ(given.status, 0) << given.err;
  expect_same_results("a", "c");
}

TEST_F(OverridesTest, encodings_of_every_version_are_overrides_too) {
  for (const char* version : {"0.6.1", "1.0.0", "2.0.0"}) {
    const std::string a = std::string("a") + version;
    const std::string b = std::string("b") + version;
    write("r.json", std::string(R"({"encodings_version": ")") + version + "\"}");
    ASSERT_EQ(quantize(a, {"--recipe", "r.json"}).status, 0);
    const RunResult again =
        quantize(b, {"--recipe", "r.json", "--overrides", a + "/model.encodings"});
    ASSERT_EQ(again.status, 0) << again.err;
    expect_same_results(a, b);
  }
}

TEST_F(OverridesTest, a_width_alone_is_calibrated) {
  ASSERT_EQ(quantize("a", {}).status, 0);
  const std::string name = overrides("a").at("activation_encodings").begin().key();
  write("o.json", "{\"activation_encodings\": {\"" + name +
                      "\": [{\"bitwidth\": 16, \"dtype\": \"int\"}]}, \"param_encodings\": {}}");
  ASSERT_EQ(quantize("b", {"--overrides", "o.json"}).status, 0);
  const Json before = overrides("a").at("activation_encodings").at(name).at(0);
  const Json after = overrides("b").at("activation_encodings").at(name).at(0);
  EXPECT_EQ(before.at("bitwidth"), 8);
  EXPECT_EQ(after.at("bitwidth"), 16);
  EXPECT_LT(after.at("scale").get<double>(), before.at("scale").get<double>() / 100.0);
}

TEST_F(OverridesTest, the_short_form_with_patterns_and_supergroups) {
  write("o.json", R"({"activation_encodings": {},
    "param_encodings": {"*weight*": {"dtype": "int4", "is_symmetric": true}},
    "supergroups": [{"op_list": ["Conv", "Clip"], "fuse": false}]})");
  const RunResult plan = quantize("x", {"--overrides", "o.json", "--dry-run"});
  ASSERT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("[override-matched]"));
  EXPECT_THAT(plan.out, HasSubstr("[supergroup-matched]"));
  EXPECT_THAT(plan.out, HasSubstr("[overrides-wildcard]"));
  ASSERT_EQ(quantize("a", {}).status, 0);
  const RunResult result = quantize("b", {"--overrides", "o.json"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_GT(overrides("b").at("activation_encodings").size(),
            overrides("a").at("activation_encodings").size());
  const Json weights = overrides("b").at("param_encodings");
  EXPECT_EQ(weights.begin()->at(0).at("bitwidth"), 4);
}

TEST_F(OverridesTest, names_without_a_tensor_are_refused_unless_allowed) {
  write("o.json", R"({"activation_encodings": {"nowhere": [{"bitwidth": 16, "dtype": "int"}]},
                      "param_encodings": {}})");
  expect_refused(quantize("out", {"--overrides", "o.json"}),
                 "o.json: 1 of 1 names match no tensor of the model: 'nowhere'");
  const RunResult allowed =
      quantize("out", {"--overrides", "o.json", "--allow-unmatched-overrides"});
  EXPECT_EQ(allowed.status, 0) << allowed.err;
  EXPECT_THAT(allowed.err, HasSubstr("[override-unmatched]"));
}

TEST_F(OverridesTest, bad_files_are_one_line_and_status_2) {
  write("o.json", "{\n\"param_encodings\": {\"w\": }}");
  expect_refused(quantize("out", {"--overrides", "o.json"}), "o.json:2:");
  write("o.json", R"({"param_encodings": {"w": {"dtype": "int9"}}})");
  expect_refused(quantize("out", {"--overrides", "o.json"}), "param_encodings.w.dtype: expected");
  write("c.json", R"({"defaults": {}})");
  expect_refused(quantize("out", {"--config", "c.json"}), "c.json: defaults");
}

TEST_F(OverridesTest, the_rules_written_as_a_configuration_give_the_same_model) {
  const RunResult rules = run({"info", "--quantsim-config", "c.json"});
  ASSERT_EQ(rules.status, 0) << rules.err;
  ASSERT_EQ(quantize("a", {}).status, 0);
  const RunResult result = quantize("b", {"--config", "c.json"});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_results("a", "b");
  EXPECT_EQ(read_json(folder_ / "b" / "recipe.json").at("config"), "c.json");
}

TEST_F(OverridesTest, a_changed_configuration_changes_the_model) {
  ASSERT_EQ(run({"info", "--quantsim-config", "c.json"}).status, 0);
  Json config = read_json(folder_ / "c.json");
  config["op_type"]["Conv"]["per_channel_quantization"] = "False";
  config["defaults"]["ops"]["is_symmetric"] = "True";
  write("c.json", to_text(config));
  const RunResult result = quantize("a", {"--config", "c.json"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json encodings = read_json(folder_ / "a" / "model.encodings");
  for (const Json& entry : encodings.at("activation_encodings")) {
    EXPECT_EQ(entry.at("is_sym"), true) << entry;
    EXPECT_EQ(entry.at("offset").at(0), -128) << entry;
  }
  ASSERT_EQ(run({"quantize", "--recipe", "a/recipe.json", "-o", "b"}).status, 0);
  expect_same_results("a", "b");
}

}  // namespace
}  // namespace hexquant::cli
