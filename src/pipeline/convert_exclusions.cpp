#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/convert_options.h"

namespace hexquant::pipeline {
namespace {

/// Two options that cannot be given together.
struct Exclusion {
  const char* one;
  const char* other;
  const char* why;
};

constexpr const char* kTwoWays =
    "the older quantizers and the pair of calibration and schema are two ways to say the same";
constexpr const char* kAimet = "the SDK's aimet quantizer does not have it";

const std::vector<Exclusion>& exclusions() {
  static const std::vector<Exclusion> all = {
      {"--ignore_encodings", "--quantization_overrides", "one says to ignore what the other gives"},
      {"--ignore_encodings", "--float_fallback", "float fallback is for tensors without encodings"},
      {"--float_fallback", "--input_list",
       "with calibration data no tensor lacks an encoding that it should have"},
      {"--act_quantizer", "--act_quantizer_calibration", kTwoWays},
      {"--act_quantizer", "--act_quantizer_schema", kTwoWays},
      {"--act_quantizer", "--param_quantizer_calibration", kTwoWays},
      {"--act_quantizer", "--param_quantizer_schema", kTwoWays},
      {"--param_quantizer", "--param_quantizer_calibration", kTwoWays},
      {"--param_quantizer", "--param_quantizer_schema", kTwoWays},
      {"--param_quantizer", "--act_quantizer_calibration", kTwoWays},
      {"--param_quantizer", "--act_quantizer_schema", kTwoWays},
      {"--use_aimet_quantizer", "--float_bitwidth", kAimet},
      {"--use_aimet_quantizer", "--float_bias_bitwidth", kAimet},
      {"--use_aimet_quantizer", "--float_fallback", kAimet},
      {"--use_aimet_quantizer", "--restrict_quantization_steps", kAimet},
      {"--use_aimet_quantizer", "--pack_4_bit_weights", kAimet},
      {"--use_aimet_quantizer", "--op_package_lib", kAimet},
  };
  return all;
}

void check_percentile(const ConvertArguments& arguments) {
  const char* name = "--percentile_calibration_value";
  if (!arguments.given(name)) return;
  const std::string text = arguments.value(name);
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  constexpr double kLeast = 90.0;
  constexpr double kMost = 100.0;
  if (error != std::errc() || stop != end || !(value >= kLeast && value <= kMost)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("{} '{}': expected a number from 90 to 100", name, text));
  }
  if (arguments.activations().calibration == "percentile" ||
      arguments.weights().calibration == "percentile") {
    return;
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("{} needs --act_quantizer_calibration or --param_quantizer_calibration to be "
                     "percentile",
                     name));
}

bool is_symmetric(const std::string& schema) {
  return schema == "symmetric" || schema == "unsignedsymmetric";
}

void check_steps(const ConvertArguments& arguments) {
  const char* name = "--restrict_quantization_steps";
  if (!arguments.given(name)) return;
  static_cast<void>(parse_steps(arguments.list(name)));
  if (is_symmetric(arguments.weights().schema) ||
      arguments.given("--use_per_channel_quantization") ||
      arguments.given("--use_per_row_quantization")) {
    return;
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("{} needs symmetric weights: --param_quantizer_schema symmetric, "
                     "--use_per_channel_quantization or --use_per_row_quantization",
                     name));
}

void check_bias_adjustment(const ConvertArguments& arguments) {
  if (!arguments.given("--adjust_bias_encoding") ||
      arguments.given("--use_per_channel_quantization")) {
    return;
  }
  throw Error(ErrorCode::kInvalidArgument,
              "--adjust_bias_encoding needs --use_per_channel_quantization");
}

}  // namespace

void check_exclusions(const ConvertArguments& arguments) {
  for (const Exclusion& exclusion : exclusions()) {
    if (!arguments.given(exclusion.one) || !arguments.given(exclusion.other)) continue;
    throw Error(ErrorCode::kInvalidArgument, format("{} and {} exclude each other: {}",
                                                    exclusion.one, exclusion.other, exclusion.why));
  }
  check_percentile(arguments);
  check_steps(arguments);
  check_bias_adjustment(arguments);
}

}  // namespace hexquant::pipeline
