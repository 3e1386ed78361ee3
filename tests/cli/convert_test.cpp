#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "cli/cli_testing.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Words = std::vector<std::string>;

/// The converter's command lines on small networks, with files named as in the article.
class ConvertTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    std::filesystem::create_directory(folder_ / "calibration");
  }

  /// Four raw files of float32 and their list; channel c holds values of size c + 1, so that a
  /// wrong layout gives other ranges behind the first layer.
  void write_list(std::int64_t pixels, std::int64_t channels, bool channel_last = true) const {
    std::string list;
    for (int sample = 0; sample < 4; ++sample) {
      std::vector<float> values(static_cast<std::size_t>(pixels * channels));
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
        for (std::int64_t c = 0; c < channels; ++c) {
          const std::int64_t place = channel_last ? pixel * channels + c : c * pixels + pixel;
          values[static_cast<std::size_t>(place)] =
              std::sin(0.7F * static_cast<float>(pixel * (c + 2) + sample)) *
              static_cast<float>(c + 1);
        }
      }
      const std::string name = std::to_string(sample) + (channel_last ? ".raw" : ".planes");
      write_file(folder_ / "calibration" / name,
                 {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
      list += name + "\n";
    }
    write_file(folder_ / "calibration" / (channel_last ? "input_list.txt" : "planes.txt"), list);
  }

  void copy_model(const std::string& from) const {
    std::filesystem::copy_file(from, folder_ / "model.onnx");
  }

  void use_tiny_cnn() const {
    copy_model(model("tiny_cnn.onnx"));
    write_list(8 * 8, 3);
  }

  [[nodiscard]] RunResult convert(const Words& more) const {
    Words arguments = {"convert", "--input_network", "model.onnx", "--output_path",
                       "out.cpp", "--input_dim",     "image",      "1,3,8,8"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  [[nodiscard]] RunResult quantize(Words more) const {
    more.insert(more.begin(), {"--input_list", "calibration/input_list.txt", "-v"});
    return convert(more);
  }

  [[nodiscard]] bool exists(const std::string& name) const {
    return std::filesystem::exists(folder_ / name);
  }
  [[nodiscard]] Json tensor(const std::string& name, const std::string& stem = "out") const {
    return read_json(folder_ / (stem + "_net.json")).at("graph").at("tensors").at(name);
  }
  /// data_type of constants named *weight*, from net.json.
  [[nodiscard]] std::vector<Json> weights(const std::string& stem = "out") const {
    std::vector<Json> found;
    const Json json = read_json(folder_ / (stem + "_net.json"));
    for (const auto& [name, one] : json.at("graph").at("tensors").items()) {
      const bool is_matrix = one.at("dims").size() >= 2 && one.at("type") == 4;
      if (is_matrix && one.at("quant_params").at("definition") == 1) found.push_back(one);
    }
    return found;
  }
};

TEST_F(ConvertTest, first_command_of_the_article) {
  use_tiny_cnn();
  const RunResult result =
      run({"convert", "--input_network", "model.onnx", "--output_path", "model_qnn.cpp",
           "--input_dim", "image", "1,3,8,8", "--input_list", "calibration/input_list.txt",
           "--act_bw", "8", "--weight_bw", "8", "--bias_bw", "32", "--algorithms", "cle",
           "--use_per_channel_quantization"});
  ASSERT_EQ(result.status, 0) << result.err;
  for (const char* file :
       {"model_qnn.onnx", "model_qnn_float.onnx", "model_qnn.encodings", "model_qnn_overrides.json",
        "model_qnn_net.json", "model_qnn_recipe.json", "model_qnn_source.onnx"}) {
    EXPECT_TRUE(exists(file)) << file;
    EXPECT_THAT(result.out, HasSubstr(file));
  }
  EXPECT_THAT(result.err, AllOf(HasSubstr("[deprecated-option]"), HasSubstr("[channel-last]")));
  EXPECT_THAT(result.err, Not(HasSubstr("[eight-bit-biases]")));
  EXPECT_THAT(result.out, AllOf(HasSubstr("qairt-converter \\"), HasSubstr("qairt-quantizer \\"),
                                HasSubstr("--apply_algorithms cle")));
  const Json image = tensor("image", "model_qnn");
  EXPECT_EQ(image.at("dims"), Json::parse("[1, 8, 8, 3]"));
  EXPECT_EQ(image.at("axis_format"), "NHWC");
  EXPECT_EQ(image.at("data_type"), 1032);
}

TEST_F(ConvertTest, second_command_of_the_article) {
  use_tiny_cnn();
  write_file(folder_ / "quantization_overrides.json",
             R"({"activation_encodings": {"logits": {"dtype": "int16", "is_symmetric": false}},
                 "param_encodings": {},
                 "supergroups": [{"op_list": ["Conv", "Relu"], "fuse": true}]})");
  const RunResult result = run({"convert",
                                "--input_network",
                                "model.onnx",
                                "--output_path",
                                "model_enhanced.cpp",
                                "--input_dim",
                                "image",
                                "1,3,8,8",
                                "--input_list",
                                "calibration/input_list.txt",
                                "--act_bw",
                                "8",
                                "--weight_bw",
                                "8",
                                "--algorithms",
                                "cle",
                                "adaround",
                                "--quantization_overrides",
                                "quantization_overrides.json",
                                "--use_per_channel_quantization",
                                "--param_quantizer",
                                "enhanced",
                                "--act_quantizer",
                                "enhanced"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(tensor("logits", "model_enhanced").at("data_type"), 1046);
  EXPECT_THAT(result.err, AllOf(HasSubstr("[not-in-the-sdk]"), HasSubstr("[eight-bit-biases]")));
  EXPECT_THAT(result.out, HasSubstr("# not there: adaround"));
  EXPECT_EQ(read_json(folder_ / "model_enhanced_recipe.json").at("observer"), "sqnr");
}

TEST_F(ConvertTest, raw_files_are_channel_last_unless_the_layout_is_kept) {
  use_tiny_cnn();
  write_list(8 * 8, 3, false);
  ASSERT_EQ(quantize({}).status, 0);
  EXPECT_TRUE(exists("out_source.onnx"));
  const RunResult kept =
      run({"convert", "-i", "model.onnx", "-o", "kept.cpp", "--input_list",
           "calibration/planes.txt", "--preserve_io", "layout", "--input_dim", "image", "1,3,8,8"});
  ASSERT_EQ(kept.status, 0) << kept.err;
  EXPECT_FALSE(exists("kept_source.onnx"));
  EXPECT_EQ(tensor("image", "kept").at("dims"), Json::parse("[1, 3, 8, 8]"));
  EXPECT_EQ(tensor("image").at("dims"), Json::parse("[1, 8, 8, 3]"));
  const Json first = read_json(folder_ / "kept_overrides.json").at("activation_encodings");
  const Json last = read_json(folder_ / "out_overrides.json").at("activation_encodings");
  EXPECT_GT(first.size(), 5U);
  for (const auto& [name, entry] : first.items()) EXPECT_EQ(last.at(name), entry) << name;
}

TEST_F(ConvertTest, the_model_itself_is_never_replaced) {
  use_tiny_cnn();
  const std::string before = read_file(folder_ / "model.onnx");
  const RunResult result = run({"convert", "-i", "model.onnx", "-l", "calibration/input_list.txt"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("[model-kept]"));
  EXPECT_TRUE(exists("model_quantized.onnx"));
  EXPECT_TRUE(read_file(folder_ / "model.onnx") == before);
  expect_refused(run({"convert", "-i", "model_float.onnx", "-o", "model.cpp"}),
                 "'model_float.onnx' would replace the model");
}

TEST_F(ConvertTest, occurrences_of_a_list_that_may_be_empty_are_kept_apart) {
  use_tiny_cnn();
  const RunResult result =
      convert({"--preserve_io", "layout", "image", "--preserve_io", "datatype", "-v"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("[io-datatype-kept]"), Not(HasSubstr("[channel-last]"))));
}

TEST_F(ConvertTest, without_a_list_the_model_stays_float) {
  use_tiny_cnn();
  const RunResult result = convert({"--act_bitwidth", "16", "--json", "-"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("[not-quantized]"), HasSubstr("--act_bitwidth")));
  EXPECT_TRUE(exists("out_float.onnx"));
  EXPECT_TRUE(exists("out_net.json"));
  EXPECT_FALSE(exists("out.onnx"));
  EXPECT_FALSE(exists("out.encodings"));
  EXPECT_EQ(tensor("image").at("data_type"), 562);
  const Json json = Json::parse(result.out);
  EXPECT_THAT(test::schema_violations(test::published_schema("convert"), json), IsEmpty());
  EXPECT_EQ(json.at("quantized"), false);
}

TEST_F(ConvertTest, json_result_follows_its_schema) {
  use_tiny_cnn();
  const RunResult result = quantize({"--json", "-"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_THAT(test::schema_violations(test::published_schema("convert"), json), IsEmpty());
  EXPECT_EQ(json.at("calibration_samples"), 4);
  EXPECT_GT(json.at("sqnr_db").get<double>(), 10.0);
}

TEST_F(ConvertTest, scales_for_channels_and_rows_are_chosen_apart) {
  use_tiny_cnn();
  ASSERT_EQ(quantize({"--use_per_channel_quantization", "--bias_bitwidth", "32"}).status, 0);
  std::size_t channels = 0;
  for (const Json& weight : weights()) {
    const bool is_conv = weight.at("dims").size() == 4;
    EXPECT_EQ(weight.at("quant_params").at("encoding"), is_conv ? 1 : 0) << weight;
    channels += is_conv ? 1 : 0;
  }
  EXPECT_GT(channels, 2U);
  ASSERT_EQ(quantize({"--use_per_row_quantization", "--bias_bitwidth", "32"}).status, 0);
  for (const Json& weight : weights()) {
    EXPECT_EQ(weight.at("quant_params").at("encoding"), weight.at("dims").size() == 4 ? 0 : 1);
  }
  ASSERT_EQ(quantize({}).status, 0);
  for (const Json& weight : weights()) {
    EXPECT_EQ(weight.at("data_type"), 1032) << "asymmetric weights are unsigned";
  }
}

TEST_F(ConvertTest, symmetric_activations_have_centred_codes) {
  use_tiny_cnn();
  ASSERT_EQ(quantize({"--act_quantizer_schema", "symmetric"}).status, 0);
  EXPECT_EQ(tensor("logits").at("quant_params").at("scale_offset").at("offset"), -128);
  EXPECT_TRUE(exists("out_quantsim_config.json"));
}

TEST_F(ConvertTest, the_recipe_makes_the_same_model_again) {
  use_tiny_cnn();
  ASSERT_EQ(quantize({"--act_quantizer_schema", "symmetric", "--act_bitwidth", "16"}).status, 0);
  const RunResult again = run({"quantize", "--recipe", "out_recipe.json", "-o", "again"});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_TRUE(read_file(folder_ / "out.onnx") == read_file(folder_ / "again/model.onnx"));
}

TEST_F(ConvertTest, files_that_are_asked_for_are_written) {
  use_tiny_cnn();
  write_file(folder_ / "mine.txt", "(c) me");
  ASSERT_EQ(
      quantize({"--dump_qairt_quantizer_command", "q.sh", "--copyright_file", "mine.txt"}).status,
      0);
  EXPECT_THAT(read_file(folder_ / "q.sh"), HasSubstr("qairt-quantizer \\\n"));
  const Json net = read_json(folder_ / "out_net.json");
  EXPECT_EQ(net.at("copyright_str"), "(c) me");
  EXPECT_THAT(net.at("converter_command").get<std::string>(),
              AllOf(HasSubstr("hexquant convert"), HasSubstr("--input_dim image 1,3,8,8")));
}

TEST_F(ConvertTest, a_dry_run_writes_nothing) {
  use_tiny_cnn();
  const RunResult plan = quantize({"--dry_run"});
  ASSERT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("dry run: nothing was calibrated or written"));
  const RunResult operations = convert({"--dry_run"});
  ASSERT_EQ(operations.status, 0) << operations.err;
  EXPECT_THAT(operations.out, AllOf(HasSubstr("Conv"), HasSubstr("can run in integers")));
  EXPECT_FALSE(exists("out_net.json"));
}

TEST_F(ConvertTest, options_with_values_in_every_form) {
  use_tiny_cnn();
  const RunResult result = quantize(
      {"--preserve_io", "--param_quantizer_schema", "symmetric", "--restrict_quantization_steps",
       "-0x7F 0x7F", "--input_encoding", "image", "rgb", "--input_dtype", "image", "float32",
       "--op_package_lib", "lib.so:provider", "--no_simplification", "--debug", "--bias_bw", "32"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(read_json(folder_ / "out_recipe.json").at("weight_schema"), "strict");
  for (const char* option :
       {"--input_encoding", "--op_package_lib", "--no_simplification", "--debug"}) {
    EXPECT_THAT(result.err, HasSubstr(std::string("warning: ") + option)) << option;
  }
  EXPECT_THAT(result.err, Not(HasSubstr("--input_dtype")));
  EXPECT_THAT(quantize({"--input_dtype", "image", "uint8"}).err,
              HasSubstr("the input stays float32"));
}

TEST_F(ConvertTest, illegal_lines_are_one_line_and_write_nothing) {
  use_tiny_cnn();
  expect_refused(quantize({"--float_fallback"}),
                 "--float_fallback and --input_list exclude each other");
  expect_refused(quantize({"--act_bw", "8", "--act_bitwidth", "8"}), "are the same option");
  expect_refused(quantize({"--act_bitwidth", "7"}), "--act_bitwidth '7': expected 8, 16");
  expect_refused(quantize({"--weights_bitwidth", "2"}), "--weights_bitwidth 2");
  expect_refused(quantize({"--out_node", "nowhere"}), "--out_node 'nowhere'");
  expect_refused(convert({"--input_list", "missing.txt"}), "missing.txt");
  expect_refused(run({"convert", "-o", "out.cpp"}), "no model given (--input_network FILE)");
  EXPECT_FALSE(exists("out_net.json"));
  EXPECT_FALSE(exists("out_source.onnx"));
}

TEST_F(ConvertTest, names_in_overrides_that_match_nothing_are_refused_unless_allowed) {
  use_tiny_cnn();
  write_file(folder_ / "o.json", R"({"activation_encodings": {"nowhere": {"dtype": "int16"}}})");
  expect_refused(run({"convert", "-i", "model.onnx", "-o", "out.cpp", "-l",
                      "calibration/input_list.txt", "--quantization_overrides", "o.json"}),
                 "'nowhere'");
  const RunResult allowed =
      quantize({"--quantization_overrides", "o.json", "--allow_unmatched_overrides"});
  EXPECT_EQ(allowed.status, 0) << allowed.err;
  EXPECT_THAT(allowed.err, HasSubstr("[override-unmatched]"));
}

TEST_F(ConvertTest, the_script_with_the_vendors_name_runs_it) {
  use_tiny_cnn();
  const std::string program = HEXQUANT_PROGRAM;
  const std::string folder = std::filesystem::path(program).parent_path().string();
  const std::string command =
      "cd " + quoted(folder_.string()) + " && PATH=" + quoted(folder) + ":$PATH " +
      quoted(std::string(HEXQUANT_SOURCE_DIR) + "/scripts/qnn-onnx-converter") +
      " --input_network model.onnx --output_path s.cpp >.log 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << read_file(folder_ / ".log");
  EXPECT_TRUE(exists("s_net.json"));
}

}  // namespace
}  // namespace hexquant::cli
