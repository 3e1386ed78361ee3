#include "pipeline/qairt_commands.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hexquant::pipeline {
namespace {

using Words = std::vector<std::string>;

std::string text_of(const std::vector<Words>& lines) {
  GivenOptions given;
  for (const Words& line : lines) {
    given[line.front()].emplace_back(line.begin() + 1, line.end());
  }
  return qairt_text(qairt_commands(ConvertArguments(given), "model_qnn"));
}

TEST(QairtCommandsTest, first_command_of_the_article) {
  EXPECT_EQ(text_of({{"--input_network", "model.onnx"},
                     {"--output_path", "model_qnn.cpp"},
                     {"--input_dim", "input", "1,3,224,224"},
                     {"--input_list", "calibration/input_list.txt"},
                     {"--act_bw", "8"},
                     {"--weight_bw", "8"},
                     {"--bias_bw", "32"},
                     {"--algorithms", "cle"},
                     {"--use_per_channel_quantization"}}),
            R"(# the same with the vendor's tools
qairt-converter \
    --input_network model.onnx \
    --output_path model_qnn.dlc \
    --source_model_input_shape input 1,3,224,224
qairt-quantizer \
    --input_dlc model_qnn.dlc \
    --output_dlc model_qnn_quantized.dlc \
    --input_list calibration/input_list.txt \
    --act_bitwidth 8 \
    --weights_bitwidth 8 \
    --bias_bitwidth 32 \
    --use_per_channel_quantization \
    --act_quantizer_calibration min-max \
    --act_quantizer_schema asymmetric \
    --param_quantizer_calibration min-max \
    --param_quantizer_schema asymmetric \
    --apply_algorithms cle
# not there: channel-last inputs by default: qairt-converter keeps the model's layouts; its --desired_input_layout NAME NHWC changes one
# this result with the vendor's tools: final weights and encodings, no data
qairt-converter \
    --input_network model_qnn_float.onnx \
    --output_path model_qnn.dlc \
    --quantization_overrides model_qnn_overrides.json
)");
}

TEST(QairtCommandsTest, second_command_of_the_article_names_what_the_sdk_lacks) {
  EXPECT_EQ(text_of({{"--input_network", "model.onnx"},
                     {"--output_path", "model_enhanced.cpp"},
                     {"--input_list", "my list.txt"},
                     {"--algorithms", "cle", "adaround"},
                     {"--quantization_overrides", "quantization_overrides.json"},
                     {"--param_quantizer", "enhanced"},
                     {"--act_quantizer", "enhanced"},
                     {"--preserve_io"}}),
            R"(# the same with the vendor's tools
qairt-converter \
    --input_network model.onnx \
    --output_path model_qnn.dlc \
    --quantization_overrides quantization_overrides.json
qairt-quantizer \
    --input_dlc model_qnn.dlc \
    --output_dlc model_qnn_quantized.dlc \
    --input_list 'my list.txt' \
    --act_quantizer_calibration sqnr \
    --act_quantizer_schema asymmetric \
    --param_quantizer_calibration sqnr \
    --param_quantizer_schema asymmetric \
    --apply_algorithms cle \
    --preserve_io_datatype
# not there: adaround: the SDK's quantizer has cle only
# not there: names with '*', supergroups and the short form in --quantization_overrides: model_qnn_overrides.json says the same in the SDK's form
# this result with the vendor's tools: final weights and encodings, no data
qairt-converter \
    --input_network model_qnn_float.onnx \
    --output_path model_qnn.dlc \
    --quantization_overrides model_qnn_overrides.json
)");
}

TEST(QairtCommandsTest, a_float_conversion_has_one_command) {
  EXPECT_EQ(text_of({{"--input_network", "m.onnx"},
                     {"--input_layout", "image", "NHWC"},
                     {"--out_node", "a"},
                     {"--out_node", "b"},
                     {"--define_symbol", "n", "4"},
                     {"--batch", "2"},
                     {"--float_bitwidth", "16"},
                     {"--preserve_io", "layout"}}),
            R"(# the same with the vendor's tools
qairt-converter \
    --input_network m.onnx \
    --output_path model_qnn.dlc \
    --source_model_input_layout image NHWC \
    --out_tensor_node a \
    --out_tensor_node b \
    --onnx_define_symbol n 4 \
    --onnx_override_batch 2 \
    --float_bitwidth 16
)");
}

TEST(QairtCommandsTest, ranges_and_steps_in_the_newer_terms) {
  const std::string text = text_of({{"--input_network", "m.onnx"},
                                    {"--input_list", "l.txt"},
                                    {"--param_quantizer", "symmetric"},
                                    {"--restrict_quantization_steps", "-0x7F", "0x7F"},
                                    {"--ignore_encodings"}});
  EXPECT_NE(text.find("--param_quantizer_schema symmetric"), std::string::npos) << text;
  EXPECT_NE(text.find("--restrict_quantization_steps '-0x7F 0x7F'"), std::string::npos) << text;
  EXPECT_NE(text.find("--ignore_quantization_overrides"), std::string::npos) << text;
}

}  // namespace
}  // namespace hexquant::pipeline
