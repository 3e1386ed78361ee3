#include "pipeline/convert_recipe.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "core/format.h"
#include "formats/quantsim_config/quantsim_config.h"
#include "hexquant/error.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

constexpr const char* kPerChannel = "--use_per_channel_quantization";
constexpr const char* kPerRow = "--use_per_row_quantization";
constexpr const char* kSteps = "--restrict_quantization_steps";

class RecipeMaker {
 public:
  RecipeMaker(const ConvertArguments& arguments, const ConvertExtras& extras)
      : arguments_(arguments), extras_(extras) {}

  ConvertRecipe run() {
    out_.recipe.model = arguments_.value("--input_network");
    out_.recipe.soc = extras_.soc;
    out_.quantize = arguments_.given("--input_list");
    out_.findings = arguments_.findings();
    note_inputs();
    if (!out_.quantize) {
      note_ignored();
      return std::move(out_);
    }
    take_data();
    take_widths();
    take_activations();
    take_weights();
    take_algorithms();
    take_overrides();
    take_steps();
    advise();
    make_config();
    return std::move(out_);
  }

 private:
  void note(const char* id, Severity severity, const std::string& where, const std::string& reason,
            const std::string& fix = "") {
    out_.findings.push_back({id, severity, where, reason, fix});
  }

  /// Options about inputs that are honoured by leaving things as they are, or not at all.
  void note_inputs() {
    for (const auto& values : arguments_.occurrences("--input_encoding")) {
      const bool is_plain = std::all_of(values.begin() + (values.size() > 1 ? 1 : 0), values.end(),
                                        [](const std::string& v) { return v == "other"; });
      if (is_plain) continue;
      note("option-without-effect", Severity::kWarning, "--input_encoding",
           format("{}: no colour conversion is put in front of the model", join(values, " ")),
           "prepare calibration data in the colours that the model was trained with");
    }
    const auto& preserved = arguments_.occurrences("--preserve_io");
    const bool keeps_types =
        arguments_.given("--preserve_io_datatype") ||
        std::any_of(preserved.begin(), preserved.end(), [](const std::vector<std::string>& words) {
          return words.empty() || words.front() == "datatype";
        });
    if (!keeps_types) return;
    note("io-datatype-kept", Severity::kInfo, "--preserve_io",
         "inputs and outputs of a Q/DQ model have the float model's types in any case");
  }

  void note_ignored() {
    std::vector<std::string> ignored;
    for (const ConvertOption* option : arguments_.given_options()) {
      if (option->is_quantizer) ignored.push_back(option->name);
    }
    note("not-quantized", Severity::kWarning, "--input_list",
         ignored.empty()
             ? std::string("not given: the model stays float, as in the vendor's converter")
             : format("not given: the model stays float and these options are ignored, as in the "
                      "vendor's converter: {}",
                      join(ignored, ", ")),
         "give a list of calibration files to quantize");
    if (arguments_.given("--float_fallback")) {
      note("float-fallback", Severity::kWarning, "--float_fallback",
           "quantization from encodings alone, without data, is not done here",
           "give --input_list instead: values without encodings are then calibrated");
    }
  }

  void take_data() {
    out_.recipe.data.sources = {arguments_.value("--input_list")};
    out_.recipe.data.samples = 0;  // the converter calibrates with the whole list
    out_.recipe.data.native_input_files = arguments_.given("--use_native_input_files");
  }

  [[nodiscard]] int bits(const char* option) const { return std::stoi(arguments_.value(option)); }

  void take_widths() {
    Recipe& recipe = out_.recipe;
    recipe.act_bits = bits("--act_bitwidth");
    recipe.bias_bits = bits("--bias_bitwidth");
    recipe.weight_bits = bits("--weights_bitwidth");
    recipe.weight_bits_everywhere = recipe.weight_bits == 4;
    if (recipe.weight_bits == 2) {
      throw Error(ErrorCode::kUnsupported,
                  "--weights_bitwidth 2: weights of 4, 8 and 16 bits are made here; 2 bits are "
                  "left to the vendor's qairt-quantizer");
    }
    for (const char* option : {"--float_bitwidth", "--float_bias_bitwidth"}) {
      if (!arguments_.given(option)) continue;
      note("float-width", Severity::kInfo, option,
           "the ONNX results keep float32 where nothing is quantized; the HTP computes it in "
           "float16, and the printed command hands the option on");
    }
    if (arguments_.given("--ignore_encodings")) {
      note("encodings-ignored", Severity::kInfo, "--ignore_encodings",
           "encodings come from calibration data only: no file of them was given");
    }
  }

  void take_activations() {
    const auto range = arguments_.activations();
    out_.recipe.observer = range.calibration;
    if (range.calibration == "percentile") {
      const std::string text = arguments_.value("--percentile_calibration_value");
      std::from_chars(text.data(), text.data() + text.size(), out_.recipe.percentile);
    }
    if (range.schema == "signedasymmetric") {
      note("signed-codes", Severity::kInfo, "--act_quantizer_schema",
           "codes are written unsigned: the values are the same, and the HTP wants them so");
    }
    for (const char* option : {"--act_quantizer", "--param_quantizer"}) {
      if (arguments_.value(option) != "adjusted") continue;
      note("deprecated-option", Severity::kWarning, option,
           "adjusted is deprecated: min-max ranges are used", "write tf");
    }
  }

  [[nodiscard]] bool weights_are_symmetric() const {
    const std::string schema = arguments_.weights().schema;
    return schema == "symmetric" || schema == "unsignedsymmetric";
  }

  [[nodiscard]] bool has_channel_scales() const {
    return arguments_.given(kPerChannel) || arguments_.given(kPerRow);
  }

  void take_weights() {
    const auto range = arguments_.weights();
    out_.recipe.granularity = has_channel_scales() ? "channel" : "tensor";
    out_.recipe.weight_schema = weights_are_symmetric() ? "symmetric" : "asymmetric";
    if (range.schema == "unsignedsymmetric") {
      note("signed-codes", Severity::kInfo, "--param_quantizer_schema",
           "symmetric weights are written signed: the values are the same");
    }
    if (has_channel_scales() && !weights_are_symmetric()) {
      note("channels-are-symmetric", Severity::kInfo, kPerChannel,
           "weights with a scale for each channel have symmetric grids, here as in the vendor's "
           "converter");
    }
    if (range.calibration == "min-max") return;
    out_.recipe.algorithms.emplace_back("clip-search");
    note("weight-ranges", Severity::kInfo, "--param_quantizer_calibration",
         format("{}: ranges of weights come from a search for the least error of the layer's "
                "output",
                range.calibration));
  }

  void take_algorithms() {
    for (const std::string& name : arguments_.list("--algorithms")) {
      out_.recipe.algorithms.push_back(name);
      if (name == "cle") continue;
      note("not-in-the-sdk", Severity::kWarning, "--algorithms",
           format("{} is done here; the vendor's converter has cle only", name),
           "carry the result over with X_float.onnx and X_overrides.json");
    }
  }

  void take_overrides() {
    out_.recipe.overrides = arguments_.value("--quantization_overrides");
    out_.recipe.allow_unmatched_overrides = extras_.allow_unmatched_overrides;
  }

  /// Steps that the grids here have anyway, or that a schema can say.
  void take_steps() {
    if (!arguments_.given(kSteps)) return;
    const QuantizationSteps steps = parse_steps(arguments_.list(kSteps));
    const int width = out_.recipe.weight_bits;
    const long half = 1L << (width - 1);
    constexpr long kHtpMax = 0x7F7F;
    const bool is_strict = steps.lowest == 1 - half && steps.highest == half - 1;
    const bool is_natural =
        steps.lowest == -half && steps.highest == (width == 16 ? kHtpMax : half - 1);
    if (is_strict && width != 16) {
      out_.recipe.weight_schema = "strict";
    } else if (!is_natural) {
      note("option-without-effect", Severity::kWarning, kSteps,
           format("codes {} to {}: {}-bit weights take {} to {} here", steps.lowest, steps.highest,
                  width, -half, width == 16 ? kHtpMax : half - 1),
           width == 16 ? "\"-0x8000 0x7F7F\": codes above saturate on the HTP" : "");
    }
  }

  void advise() {
    if (out_.recipe.bias_bits == 8) {
      note("eight-bit-biases", Severity::kWarning, "--bias_bitwidth",
           arguments_.given("--bias_bitwidth")
               ? "8-bit biases cost accuracy, and the HTP does not run such layers"
               : "8 bits is the converter's default: it costs accuracy, and the HTP does not run "
                 "such layers",
           "add --bias_bitwidth 32");
    }
    if (!has_channel_scales()) {
      note("one-scale-for-weights", Severity::kWarning, kPerChannel,
           "not given: each layer's weights share one scale, which costs accuracy",
           "add --use_per_channel_quantization --use_per_row_quantization");
    }
  }

  [[nodiscard]] bool has_symmetric_activations() const {
    const std::string schema = arguments_.activations().schema;
    return schema == "symmetric" || schema == "unsignedsymmetric";
  }

  void make_config() {
    const bool splits_layers = arguments_.given(kPerChannel) != arguments_.given(kPerRow);
    const bool keeps_relu = arguments_.given("--disable_relu_squashing");
    if (!has_symmetric_activations() && !splits_layers && !keeps_relu) return;
    Findings inexpressible;  // of the form, not of this conversion
    quant::QuantsimConfig config =
        formats::config_of_target(target::load_target(extras_.soc), inexpressible);
    config.default_op.is_symmetric = has_symmetric_activations();
    config.unsigned_symmetric = arguments_.activations().schema == "unsignedsymmetric";
    config.default_param.is_symmetric = weights_are_symmetric();
    if (splits_layers) set_channel_scales(config);
    if (keeps_relu) {
      std::erase_if(config.supergroups, [](const std::vector<std::string>& group) {
        return group.back() == "Relu" || group.back() == "Clip";
      });
    }
    out_.config = std::move(config);
  }

  void set_channel_scales(quant::QuantsimConfig& config) const {
    for (auto& [type, op] : config.op_types) {
      if (!op.per_channel) continue;
      const bool is_row = type == "MatMul" || type == "Gemm";
      op.per_channel = arguments_.given(is_row ? kPerRow : kPerChannel);
    }
  }

  const ConvertArguments& arguments_;
  const ConvertExtras& extras_;
  ConvertRecipe out_;
};

}  // namespace

ConvertRecipe convert_recipe(const ConvertArguments& arguments, const ConvertExtras& extras) {
  return RecipeMaker(arguments, extras).run();
}

}  // namespace hexquant::pipeline
