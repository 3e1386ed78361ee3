#include "pipeline/qairt_commands.h"

#include <array>
#include <utility>

#include "core/format.h"
#include "core/shell_word.h"

namespace hexquant::pipeline {
namespace {

class Command {
 public:
  explicit Command(const std::string& program) : text_(program) {}

  void add(const std::string& option, const std::vector<std::string>& values = {}) {
    text_ += " \\\n    " + option;
    for (const std::string& value : values) text_ += " " + shell_word(value);
  }
  /// Every occurrence of `from` under its new name.
  void copy(const ConvertArguments& arguments, const char* from, const char* to) {
    for (const auto& values : arguments.occurrences(from)) add(to, values);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Names of the same option in qnn-onnx-converter and in the newer tool.
using Names = std::pair<const char*, const char*>;

constexpr std::array<Names, 10> kConverterOptions = {
    {{"--input_dim", "--source_model_input_shape"},
     {"--input_layout", "--source_model_input_layout"},
     {"--input_dtype", "--source_model_input_datatype"},
     {"--input_encoding", "--desired_input_color_encoding"},
     {"--out_node", "--out_tensor_node"},
     {"--define_symbol", "--onnx_define_symbol"},
     {"--batch", "--onnx_override_batch"},
     {"--no_simplification", "--onnx_skip_simplification"},
     {"--custom_io", "--config"},
     {"--converter_op_package_lib", "--converter_op_package_lib"}}};

constexpr std::array<Names, 17> kQuantizerOptions = {
    {{"--input_list", "--input_list"},
     {"--act_bitwidth", "--act_bitwidth"},
     {"--weights_bitwidth", "--weights_bitwidth"},
     {"--bias_bitwidth", "--bias_bitwidth"},
     {"--float_bitwidth", "--float_bitwidth"},
     {"--float_bias_bitwidth", "--float_bias_bitwidth"},
     {"--ignore_encodings", "--ignore_quantization_overrides"},
     {"--use_per_channel_quantization", "--use_per_channel_quantization"},
     {"--use_per_row_quantization", "--use_per_row_quantization"},
     {"--enable_per_row_quantized_bias", "--enable_per_row_quantized_bias"},
     {"--use_native_input_files", "--use_native_input_files"},
     {"--use_native_output_files", "--use_native_output_files"},
     {"--keep_weights_quantized", "--keep_weights_quantized"},
     {"--adjust_bias_encoding", "--adjust_bias_encoding"},
     {"--use_aimet_quantizer", "--use_aimet_quantizer"},
     {"--op_package_lib", "--op_package_lib"},
     {"--dump_encoding_json", "--dump_encoding_json"}}};

/// True if layouts of all inputs and outputs are to stay; qairt-converter keeps them by default.
bool keeps_layouts(const ConvertArguments& arguments) {
  for (const auto& words : arguments.occurrences("--preserve_io")) {
    if (words.empty() || words.front() == "layout") return true;
  }
  return false;
}

std::string converter_command(const ConvertArguments& arguments, const std::string& stem) {
  Command command("qairt-converter");
  command.add("--input_network", {arguments.value("--input_network")});
  command.add("--output_path", {stem + ".dlc"});
  for (const auto& [from, to] : kConverterOptions) command.copy(arguments, from, to);
  command.copy(arguments, "--quantization_overrides", "--quantization_overrides");
  if (!arguments.given("--input_list")) {
    command.copy(arguments, "--float_bitwidth", "--float_bitwidth");
    command.copy(arguments, "--float_bias_bitwidth", "--float_bias_bitwidth");
  }
  return command.text();
}

void add_ranges(const ConvertArguments& arguments, Command& command) {
  const auto activations = arguments.activations();
  const auto weights = arguments.weights();
  command.add("--act_quantizer_calibration", {activations.calibration});
  command.add("--act_quantizer_schema", {activations.schema});
  command.add("--param_quantizer_calibration", {weights.calibration});
  command.add("--param_quantizer_schema", {weights.schema});
  command.copy(arguments, "--percentile_calibration_value", "--percentile_calibration_value");
  if (arguments.given("--restrict_quantization_steps")) {
    command.add("--restrict_quantization_steps",
                {format("{}", join(arguments.list("--restrict_quantization_steps"), " "))});
  }
}

bool runs_cle(const ConvertArguments& arguments) {
  for (const std::string& name : arguments.list("--algorithms")) {
    if (name == "cle") return true;
  }
  return false;
}

std::string quantizer_command(const ConvertArguments& arguments, const std::string& stem) {
  Command command("qairt-quantizer");
  command.add("--input_dlc", {stem + ".dlc"});
  command.add("--output_dlc", {stem + "_quantized.dlc"});
  for (const auto& [from, to] : kQuantizerOptions) command.copy(arguments, from, to);
  add_ranges(arguments, command);
  if (runs_cle(arguments)) command.add("--apply_algorithms", {"cle"});
  for (const auto& words : arguments.occurrences("--preserve_io")) {
    if (!words.empty() && words.front() == "layout") continue;
    const std::vector<std::string> names(words.begin() + (words.empty() ? 0 : 1), words.end());
    command.add("--preserve_io_datatype", names);
  }
  command.copy(arguments, "--preserve_io_datatype", "--preserve_io_datatype");
  return command.text();
}

std::string carry_command(const std::string& stem) {
  Command command("qairt-converter");
  command.add("--input_network", {stem + "_float.onnx"});
  command.add("--output_path", {stem + ".dlc"});
  command.add("--quantization_overrides", {stem + "_overrides.json"});
  return command.text();
}

std::vector<std::string> missing_there(const ConvertArguments& arguments) {
  std::vector<std::string> missing;
  for (const std::string& name : arguments.list("--algorithms")) {
    if (name != "cle") missing.push_back(name + ": the SDK's quantizer has cle only");
  }
  if (!keeps_layouts(arguments)) {
    missing.emplace_back(
        "channel-last inputs by default: qairt-converter keeps the model's layouts; its "
        "--desired_input_layout NAME NHWC changes one");
  }
  if (arguments.given("--quantization_overrides")) {
    missing.emplace_back(
        "names with '*', supergroups and the short form in --quantization_overrides: "
        "X_overrides.json says the same in the SDK's form");
  }
  for (const char* option :
       {"--disable_relu_squashing", "--pack_4_bit_weights", "--disable_batchnorm_folding",
        "--keep_quant_nodes", "--use_dynamic_16_bit_weights", "--use_convert_quantization_nodes"}) {
    if (arguments.given(option)) {
      missing.push_back(std::string(option) + ": no such option of the qairt tools");
    }
  }
  return missing;
}

/// X instead of the path of the results: texts about files of any conversion.
std::string with_stem(std::string text, const std::string& stem) {
  for (const char* file : {"X_overrides.json", "X_float.onnx"}) {
    const auto at = text.find(file);
    if (at != std::string::npos) text.replace(at, 1, stem);
  }
  return text;
}

}  // namespace

QairtCommands qairt_commands(const ConvertArguments& arguments, const std::string& stem) {
  QairtCommands commands;
  commands.converter = converter_command(arguments, stem);
  if (arguments.given("--input_list")) {
    commands.quantizer = quantizer_command(arguments, stem);
    commands.carry = carry_command(stem);
  }
  for (const std::string& text : missing_there(arguments)) {
    commands.missing.push_back(with_stem(text, stem));
  }
  return commands;
}

std::string qairt_text(const QairtCommands& commands) {
  std::string text = "# the same with the vendor's tools\n" + commands.converter + "\n";
  if (!commands.quantizer.empty()) text += commands.quantizer + "\n";
  for (const std::string& line : commands.missing) text += "# not there: " + line + "\n";
  if (commands.carry.empty()) return text;
  return text + "# this result with the vendor's tools: final weights and encodings, no data\n" +
         commands.carry + "\n";
}

}  // namespace hexquant::pipeline
