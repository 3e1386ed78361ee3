#include "pipeline/convert_options.h"

namespace hexquant::pipeline {
namespace {

const std::vector<std::string> kLayouts = {"NCDHW", "NDHWC", "NCHW", "NHWC",      "HWIO",
                                           "OIHW",  "NFC",   "NCF",  "NTF",       "TNF",
                                           "NF",    "NC",    "F",    "NONTRIVIAL"};
const std::vector<std::string> kLegacyQuantizers = {"tf", "enhanced", "adjusted", "symmetric"};
const std::vector<std::string> kCalibrations = {"min-max", "sqnr", "entropy", "mse", "percentile"};
const std::vector<std::string> kSchemas = {"asymmetric", "symmetric", "unsignedsymmetric",
                                           "signedasymmetric"};
constexpr const char* kNoOpPackages =
    "operations of user packages run in the vendor's runtime only; the model must consist of ONNX "
    "operations here";
constexpr const char* kNoCpp = "neither .cpp nor .bin is written: the results are ONNX and JSON";

/// An option that may be followed by values and is honoured.
ConvertOption with_values(const char* name, Arity arity, ConvertGroup group, const char* value_name,
                          const char* help, std::vector<std::string> values = {},
                          const char* fallback = "") {
  ConvertOption option;
  option.name = name;
  option.arity = arity;
  option.group = group;
  option.value_name = value_name;
  option.help = help;
  option.values = std::move(values);
  option.fallback = fallback;
  option.is_quantizer = group == ConvertGroup::kQuantizer || group == ConvertGroup::kNumbers;
  return option;
}

ConvertOption flag(const char* name, ConvertGroup group, const char* help) {
  return with_values(name, Arity::kFlag, group, "", help);
}

ConvertOption without_effect(ConvertOption option, const char* why) {
  option.no_effect = why;
  return option;
}

ConvertOption renamed(ConvertOption option, std::vector<std::string> aliases,
                      std::vector<std::string> deprecated = {}) {
  option.aliases = std::move(aliases);
  option.deprecated = std::move(deprecated);
  return option;
}

void add_model_options(std::vector<ConvertOption>& all) {
  const auto group = ConvertGroup::kModel;
  all.push_back(renamed(
      with_values("--input_network", Arity::kOne, group, "FILE", "Float ONNX model"), {"-i"}));
  all.push_back(renamed(with_values("--output_path", Arity::kOne, group, "FILE",
                                    "Names the results: X.cpp gives X.onnx, X_float.onnx,\n"
                                    "X.encodings ... (default: beside the model)"),
                        {"-o"}));
  all.push_back(with_values("--out_node", Arity::kEach, group, "NAME",
                            "Value that becomes an output (repeat for others)"));
  all.push_back(renamed(
      with_values("--batch", Arity::kOne, group, "N", "First dimension of every input"), {"-b"}));
  all.push_back(with_values("--define_symbol", Arity::kPair, group, "SYMBOL N",
                            "Size of a symbolic dimension"));
  all.push_back(with_values("--dry_run", Arity::kOptionalList, group, "[info]",
                            "Show plan, sizes and problems; write nothing"));
  all.push_back(with_values("--copyright_file", Arity::kOne, group, "FILE",
                            "Text for copyright_str in X_net.json"));
  all.push_back(
      without_effect(flag("--keep_quant_nodes", group, "Keep quantization nodes of the model"),
                     "nodes of a quantized model are kept as they are in any case"));
  all.push_back(without_effect(
      flag("--disable_batchnorm_folding", group, "Do not fold BatchNormalization"),
      "BatchNormalization behind a layer is always folded: the float result stays the same, and "
      "the HTP would fold it again"));
  all.push_back(without_effect(flag("--no_simplification", group, "Do not simplify the model"),
                               "no outside simplifier runs here; the passes of this program keep "
                               "the float function and are part of quantization"));
  all.push_back(without_effect(
      flag("--keep_disconnected_nodes", group, "Keep nodes that reach no output"),
      "nodes that reach no output have nothing that could be calibrated or compared"));
}

void add_input_options(std::vector<ConvertOption>& all) {
  const auto group = ConvertGroup::kInputs;
  all.push_back(renamed(with_values("--input_dim", Arity::kPair, group, "NAME DIMS",
                                    "Shape of an input: input 1,3,224,224"),
                        {"-d", "--source_model_input_shape", "--desired_input_shape"}));
  all.push_back(renamed(with_values("--input_layout", Arity::kPair, group, "NAME LAYOUT",
                                    "Layout that an input has in the model (default: NCHW for\n"
                                    "images); channel-first ones become channel-last",
                                    kLayouts),
                        {"--source_model_input_layout"}));
  all.push_back(with_values("--preserve_io", Arity::kOptionalList, group,
                            "[layout|datatype [NAME ...]]",
                            "Keep layout (NCHW stays NCHW) and data types of inputs and\n"
                            "outputs, of all or of those named"));
  all.push_back(with_values("--preserve_io_datatype", Arity::kOptionalList, group, "[NAME ...]",
                            "As --preserve_io datatype (qairt-quantizer)"));
  all.push_back(renamed(with_values("--input_dtype", Arity::kPair, group, "NAME TYPE",
                                    "Element type of an input; must be the model's"),
                        {"--source_model_input_datatype"}));
  all.push_back(with_values("--input_encoding", Arity::kList, group, "NAME ENCODING [OUT]",
                            "Colours of an input: bgr, rgb, other ..."));
  all.push_back(without_effect(with_values("--input_type", Arity::kPair, group, "NAME TYPE",
                                           "What an input is", {"image", "default", "opaque"}),
                               "inputs are taken as the model declares them"));
  all.push_back(without_effect(
      with_values("--custom_io", Arity::kOne, group, "FILE", "YAML file with inputs and outputs"),
      "the YAML file is for the vendor's converter, and passed on in the printed command; here "
      "--input_layout and --preserve_io say what it says of layouts"));
}

void add_quantizer_options(std::vector<ConvertOption>& all) {
  const auto group = ConvertGroup::kQuantizer;
  all.push_back(renamed(with_values("--input_list", Arity::kOne, group, "FILE",
                                    "Calibration data; without it nothing is quantized"),
                        {"-l"}));
  all.back().is_quantizer = false;
  all.push_back(with_values("--quantization_overrides", Arity::kOne, group, "FILE",
                            "Widths or encodings of single tensors, JSON"));
  all.push_back(
      renamed(flag("--ignore_encodings", group, "Ignore encodings that come with the model"),
              {"--ignore_quantization_overrides"}));
  all.push_back(renamed(flag("--float_fallback", group, "Operations without encodings stay float"),
                        {"-f", "--enable_float_fallback"}));
  all.push_back(renamed(with_values("--algorithms", Arity::kList, group, "LIST",
                                    "cle of the converter, and those of this program",
                                    {"cle", "adaround", "adaptive-rounding", "gptq", "clip-search",
                                     "bias-correction"}),
                        {"--apply_algorithms"}));
  all.push_back(with_values("--act_quantizer", Arity::kOne, group, "NAME",
                            "Ranges of activations, older names", kLegacyQuantizers));
  all.push_back(with_values("--param_quantizer", Arity::kOne, group, "NAME",
                            "Ranges of weights, older names", kLegacyQuantizers));
  all.push_back(with_values("--act_quantizer_calibration", Arity::kOne, group, "NAME",
                            "Ranges of activations", kCalibrations, "min-max"));
  all.push_back(with_values("--param_quantizer_calibration", Arity::kOne, group, "NAME",
                            "Ranges of weights", kCalibrations, "min-max"));
  all.push_back(with_values("--act_quantizer_schema", Arity::kOne, group, "NAME",
                            "Grid of activations", kSchemas, "asymmetric"));
  all.push_back(with_values("--param_quantizer_schema", Arity::kOne, group, "NAME",
                            "Grid of weights", kSchemas, "asymmetric"));
  all.push_back(with_values("--percentile_calibration_value", Arity::kOne, group, "PERCENT",
                            "90 to 100, for the percentile calibration", {}, "99.99"));
  all.push_back(
      flag("--use_per_channel_quantization", group, "A scale for each channel of convolutions"));
  all.push_back(flag("--use_per_row_quantization", group,
                     "A scale for each row of MatMul and fully connected layers"));
  all.push_back(
      flag("--disable_relu_squashing", group, "A quantized value between a layer and its Relu"));
  all.push_back(with_values("--dump_qairt_quantizer_command", Arity::kOne, group, "FILE",
                            "Write the equivalent qairt-quantizer command"));
}

void add_number_options(std::vector<ConvertOption>& all) {
  const auto group = ConvertGroup::kNumbers;
  const auto bits = [&](const char* name, const char* old, std::vector<std::string> values,
                        const char* fallback, const char* help) {
    all.push_back(
        renamed(with_values(name, Arity::kOne, group, "BITS", help, std::move(values), fallback),
                {}, {old}));
  };
  bits("--act_bitwidth", "--act_bw", {"8", "16"}, "8", "Activations");
  bits("--weights_bitwidth", "--weight_bw", {"2", "4", "8", "16"}, "8", "Weights");
  bits("--bias_bitwidth", "--bias_bw", {"8", "32"}, "8", "Biases; 32 is what the HTP wants");
  bits("--float_bitwidth", "--float_bw", {"16", "32"}, "32", "Operations that stay float");
  bits("--float_bias_bitwidth", "--float_bias_bw", {"0", "16", "32"}, "0",
       "Biases of operations that stay float");
  all.push_back(with_values("--restrict_quantization_steps", Arity::kList, group, "\"MIN MAX\"",
                            "Lowest and highest code of symmetric weights: \"-0x80 0x7F\""));
  all.push_back(renamed(flag("--use_native_input_files", group,
                             "Raw files hold the model's types instead of float32"),
                        {}, {"--use_native_dtype"}));
  all.push_back(without_effect(flag("--use_native_output_files", group, "Outputs in native types"),
                               "no output files are written by a conversion"));
  all.push_back(without_effect(flag("--pack_4_bit_weights", group, "Two 4-bit weights in a byte"),
                               "ONNX always keeps two 4-bit weights in a byte"));
  all.push_back(without_effect(flag("--use_aimet_quantizer", group, "The SDK's other quantizer"),
                               "there is one quantizer here"));
  all.push_back(without_effect(
      flag("--enable_per_row_quantized_bias", group, "Biases with a scale for each row"),
      "32-bit biases always have the scales of their layer's input and weights"));
  all.push_back(without_effect(
      flag("--adjust_bias_encoding", group, "Widen biases that saturate"),
      "biases that would saturate are reported instead of clipping weights for them"));
  all.push_back(without_effect(
      flag("--keep_weights_quantized", group, "Quantized weights with float activations"),
      "a Q/DQ model has integer weights only in layers that compute in integers"));
  all.push_back(without_effect(
      flag("--use_dynamic_16_bit_weights", group, "16-bit second operands that are computed"),
      "the rules of the chip decide about second operands"));
  all.push_back(without_effect(
      flag("--use_convert_quantization_nodes", group, "Convert nodes instead of Quantize pairs"),
      "borders between widths are DequantizeLinear and QuantizeLinear in ONNX"));
}

void add_other_options(std::vector<ConvertOption>& all) {
  const auto group = ConvertGroup::kOther;
  const auto package = [&](const char* name, Arity arity, const char* value, const char* help) {
    all.push_back(without_effect(with_values(name, arity, group, value, help), kNoOpPackages));
  };
  package("--op_package_lib", Arity::kOne, "LIB:PROVIDER", "Library of a user package");
  package("--converter_op_package_lib", Arity::kOne, "LIB", "Its converter library");
  package("--op_package_config", Arity::kList, "FILE", "Its configuration");
  package("--custom_op_config_paths", Arity::kList, "FILE", "The same, newer name");
  all.push_back(renamed(without_effect(with_values("--package_name", Arity::kOne, group, "NAME",
                                                   "Package name of all operations"),
                                       kNoOpPackages),
                        {"-p"}));
  all.push_back(without_effect(
      with_values("--debug", Arity::kOptionalList, group, "[LEVEL]", "Log of the converter"),
      "-v prints informational findings"));
  all.push_back(
      without_effect(flag("--overwrite_model_prefix", group, "Prefix of the C functions"), kNoCpp));
  all.push_back(
      without_effect(flag("--exclude_named_tensors", group, "No tensor names in .cpp"), kNoCpp));
  all.push_back(without_effect(with_values("--export_format", Arity::kOne, group, "NAME",
                                           "Form of the result", {"cpp", "dlc"}),
                               kNoCpp));
  all.push_back(without_effect(
      with_values("--model_version", Arity::kOne, group, "TEXT", "Version kept in the result"),
      "the model's own version is kept"));
  all.push_back(
      without_effect(flag("--dump_encoding_json", group, "Write the encodings (qairt-quantizer)"),
                     "X.encodings and X_overrides.json are always written"));
}

std::vector<ConvertOption> make_table() {
  std::vector<ConvertOption> all;
  add_model_options(all);
  add_input_options(all);
  add_quantizer_options(all);
  add_number_options(all);
  add_other_options(all);
  return all;
}

}  // namespace

const std::vector<ConvertOption>& convert_options() {
  static const std::vector<ConvertOption> table = make_table();
  return table;
}

}  // namespace hexquant::pipeline
