#include "pipeline/convert_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "hexquant/error.h"

namespace hexquant::pipeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Words = std::vector<std::string>;

/// "--option value value" as an occurrence; the first word is the spelling.
ConvertArguments parse(const std::vector<Words>& lines) {
  GivenOptions given;
  for (const Words& line : lines) {
    given[line.front()].emplace_back(line.begin() + 1, line.end());
  }
  return ConvertArguments(given);
}

std::string error_of(const std::vector<Words>& lines) {
  try {
    parse(lines);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "";
}

/// Options that must be there for `option` to be legal.
std::vector<Words> company_of(const std::string& option) {
  if (option == "--restrict_quantization_steps" || option == "--adjust_bias_encoding") {
    return {{"--use_per_channel_quantization"}};
  }
  if (option == "--percentile_calibration_value") {
    return {{"--act_quantizer_calibration", "percentile"}};
  }
  return {};
}

/// A legal occurrence of an option, with `value` where it takes a value from a list.
Words occurrence(const ConvertOption& option, const std::string& spelling,
                 const std::string& value) {
  switch (option.arity) {
    case Arity::kFlag:
    case Arity::kOptionalList:
      return {spelling};
    case Arity::kPair:
      return {spelling, "image", value};
    default:
      break;
  }
  if (option.name == "--restrict_quantization_steps") return {spelling, "-0x80 0x7F"};
  if (option.name == "--percentile_calibration_value") return {spelling, "95"};
  return {spelling, value};
}

TEST(ConvertOptionsTest, every_spelling_and_every_legal_value_is_taken) {
  std::size_t tried = 0;
  for (const ConvertOption& option : convert_options()) {
    Words spellings = {option.name};
    spellings.insert(spellings.end(), option.aliases.begin(), option.aliases.end());
    spellings.insert(spellings.end(), option.deprecated.begin(), option.deprecated.end());
    const Words values = option.values.empty() ? Words{"x"} : option.values;
    for (const std::string& spelling : spellings) {
      for (const std::string& value : values) {
        std::vector<Words> lines = company_of(option.name);
        lines.push_back(occurrence(option, spelling, value));
        const ConvertArguments arguments = parse(lines);
        EXPECT_TRUE(arguments.given(option.name)) << spelling;
        const bool has_value = option.arity == Arity::kOne && lines.back().size() == 2;
        if (has_value) {
          EXPECT_EQ(arguments.value(option.name), lines.back()[1]) << spelling;
        }
        ++tried;
      }
    }
  }
  EXPECT_GT(tried, 100U);
}

TEST(ConvertOptionsTest, every_list_of_values_is_closed) {
  for (const ConvertOption& option : convert_options()) {
    if (option.values.empty()) continue;
    Words line = {option.name, "nonsense"};
    if (option.arity == Arity::kPair) line = {option.name, "image", "nonsense"};
    const std::string error = error_of({line});
    EXPECT_THAT(error, HasSubstr(option.name + " 'nonsense': expected " + option.values.front()));
  }
}

TEST(ConvertOptionsTest, old_spellings_work_with_a_finding_and_not_beside_the_new_ones) {
  const std::vector<std::pair<std::string, std::string>> pairs = {
      {"--act_bw", "--act_bitwidth"},
      {"--weight_bw", "--weights_bitwidth"},
      {"--bias_bw", "--bias_bitwidth"},
      {"--float_bw", "--float_bitwidth"},
      {"--float_bias_bw", "--float_bias_bitwidth"}};
  for (const auto& [old, name] : pairs) {
    const std::string value = old.starts_with("--float") ? "16" : "8";
    const ConvertArguments arguments = parse({{old, value}});
    EXPECT_EQ(arguments.value(name), value);
    ASSERT_THAT(arguments.findings(), SizeIs(1));
    EXPECT_EQ(arguments.findings()[0].id, "deprecated-option");
    EXPECT_EQ(arguments.findings()[0].where, old);
    EXPECT_EQ(arguments.findings()[0].fix, "write " + name);
    EXPECT_EQ(error_of({{old, value}, {name, value}}),
              name + " and " + old + " are the same option: give one");
  }
  EXPECT_EQ(parse({{"--use_native_dtype"}}).findings()[0].id, "deprecated-option");
  EXPECT_THAT(error_of({{"--use_native_dtype"}, {"--use_native_input_files"}}),
              HasSubstr("are the same option"));
}

TEST(ConvertOptionsTest, options_without_effect_say_why) {
  std::size_t idle = 0;
  for (const ConvertOption& option : convert_options()) {
    if (option.no_effect.empty()) continue;
    std::vector<Words> lines = company_of(option.name);
    lines.push_back(
        occurrence(option, option.name, option.values.empty() ? "x" : option.values.front()));
    const ConvertArguments arguments = parse(lines);
    ASSERT_THAT(arguments.findings(), SizeIs(1)) << option.name;
    EXPECT_EQ(arguments.findings()[0].id, "option-without-effect");
    EXPECT_EQ(arguments.findings()[0].where, option.name);
    EXPECT_THAT(arguments.findings()[0].reason, HasSubstr(option.no_effect));
    ++idle;
  }
  EXPECT_GT(idle, 10U);
}

TEST(ConvertOptionsTest, excluded_combinations_name_both_options) {
  const std::vector<std::pair<Words, Words>> pairs = {
      {{"--ignore_encodings"}, {"--quantization_overrides", "o.json"}},
      {{"--ignore_encodings"}, {"--float_fallback"}},
      {{"--float_fallback"}, {"--input_list", "l.txt"}},
      {{"--act_quantizer", "tf"}, {"--act_quantizer_calibration", "mse"}},
      {{"--act_quantizer", "tf"}, {"--act_quantizer_schema", "symmetric"}},
      {{"--act_quantizer", "tf"}, {"--param_quantizer_calibration", "mse"}},
      {{"--act_quantizer", "tf"}, {"--param_quantizer_schema", "symmetric"}},
      {{"--param_quantizer", "tf"}, {"--param_quantizer_calibration", "mse"}},
      {{"--param_quantizer", "tf"}, {"--param_quantizer_schema", "symmetric"}},
      {{"--param_quantizer", "tf"}, {"--act_quantizer_calibration", "mse"}},
      {{"--param_quantizer", "tf"}, {"--act_quantizer_schema", "symmetric"}},
      {{"--use_aimet_quantizer"}, {"--float_bitwidth", "16"}},
      {{"--use_aimet_quantizer"}, {"--float_bias_bitwidth", "16"}},
      {{"--use_aimet_quantizer"}, {"--float_fallback"}},
      {{"--use_aimet_quantizer"}, {"--pack_4_bit_weights"}},
      {{"--use_aimet_quantizer"}, {"--op_package_lib", "lib.so:p"}},
  };
  for (const auto& [one, other] : pairs) {
    const std::string expected = one[0] + " and " + other[0] + " exclude each other: ";
    EXPECT_THAT(error_of({one, other}), HasSubstr(expected));
    EXPECT_EQ(error_of({one}), "");
    EXPECT_EQ(error_of({other}), "");
  }
  EXPECT_THAT(error_of({{"--use_aimet_quantizer"},
                        {"--use_per_channel_quantization"},
                        {"--restrict_quantization_steps", "-0x80 0x7F"}}),
              HasSubstr("exclude each other"));
}

TEST(ConvertOptionsTest, percentile_needs_its_calibration_and_a_number) {
  const Words value = {"--percentile_calibration_value", "99.5"};
  EXPECT_THAT(error_of({value}), HasSubstr("--percentile_calibration_value needs "));
  EXPECT_EQ(error_of({value, {"--act_quantizer_calibration", "percentile"}}), "");
  EXPECT_EQ(error_of({value, {"--param_quantizer_calibration", "percentile"}}), "");
  for (const char* bad : {"89.9", "100.1", "nan", "x", "95x", ""}) {
    EXPECT_THAT(error_of({{"--percentile_calibration_value", bad},
                          {"--act_quantizer_calibration", "percentile"}}),
                HasSubstr("expected a number from 90 to 100"))
        << bad;
  }
}

TEST(ConvertOptionsTest, restricted_steps_need_symmetric_weights) {
  const Words steps = {"--restrict_quantization_steps", "-0x80 0x7F"};
  EXPECT_THAT(error_of({steps}),
              HasSubstr("--restrict_quantization_steps needs symmetric weights"));
  for (const Words& company : std::vector<Words>{{"--param_quantizer_schema", "symmetric"},
                                                 {"--param_quantizer_schema", "unsignedsymmetric"},
                                                 {"--param_quantizer", "symmetric"},
                                                 {"--use_per_channel_quantization"},
                                                 {"--use_per_row_quantization"},
                                                 {"--weights_bitwidth", "16"}}) {
    EXPECT_EQ(error_of({steps, company}), "") << company[0];
  }
  EXPECT_EQ(error_of({{"--adjust_bias_encoding"}}),
            "--adjust_bias_encoding needs --use_per_channel_quantization");
}

TEST(ConvertOptionsTest, steps_are_two_hexadecimal_numbers) {
  const QuantizationSteps one = parse_steps({"-0x80 0x7F"});
  EXPECT_EQ(one.lowest, -128);
  EXPECT_EQ(one.highest, 127);
  const QuantizationSteps two = parse_steps({"-0x8000", "0x7F7F"});
  EXPECT_EQ(two.lowest, -32768);
  EXPECT_EQ(two.highest, 32639);
  for (const Words& bad : std::vector<Words>{{"-0x80"},
                                             {"-128 127"},
                                             {"0x7F -0x80"},
                                             {"-0x80 0x7F 0x1"},
                                             {"-0x80 0x7G"},
                                             {"-0x"},
                                             {"0x1 0x123456789"}}) {
    EXPECT_THROW(static_cast<void>(parse_steps(bad)), Error) << bad[0];
  }
}

TEST(ConvertOptionsTest, numbers_of_values_are_checked) {
  EXPECT_EQ(error_of({{"--act_bitwidth", "8", "16"}}),
            "--act_bitwidth takes one value (BITS), not 2 values: 8 16");
  EXPECT_EQ(error_of({{"--input_dim", "image"}}),
            "--input_dim takes two values (NAME DIMS), not 1 values: image");
  EXPECT_THAT(error_of({{"--algorithms"}}), HasSubstr("takes one value or more"));
}

TEST(ConvertOptionsTest, the_last_of_several_counts_and_pairs_add_up) {
  const ConvertArguments arguments = parse({{"--act_bitwidth", "8"},
                                            {"--act_bitwidth", "16"},
                                            {"--input_dim", "a", "1"},
                                            {"--input_dim", "b", "2"}});
  EXPECT_EQ(arguments.value("--act_bitwidth"), "16");
  EXPECT_THAT(arguments.occurrences("--input_dim"), SizeIs(2));
  EXPECT_THAT(arguments.findings(), IsEmpty());
}

TEST(ConvertOptionsTest, defaults_are_the_converters) {
  const ConvertArguments arguments = parse({});
  EXPECT_EQ(arguments.value("--act_bitwidth"), "8");
  EXPECT_EQ(arguments.value("--weights_bitwidth"), "8");
  EXPECT_EQ(arguments.value("--bias_bitwidth"), "8");
  EXPECT_EQ(arguments.value("--float_bitwidth"), "32");
  EXPECT_EQ(arguments.value("--float_bias_bitwidth"), "0");
  EXPECT_EQ(arguments.value("--percentile_calibration_value"), "99.99");
  EXPECT_EQ(arguments.activations().calibration, "min-max");
  EXPECT_EQ(arguments.activations().schema, "asymmetric");
  EXPECT_EQ(arguments.weights().calibration, "min-max");
  EXPECT_EQ(arguments.weights().schema, "asymmetric");
}

TEST(ConvertOptionsTest, legacy_quantizers_in_the_newer_terms) {
  const auto both = [](const std::string& name) {
    return parse({{"--act_quantizer", name}, {"--param_quantizer", name}});
  };
  EXPECT_EQ(both("tf").activations().calibration, "min-max");
  EXPECT_EQ(both("enhanced").activations().calibration, "sqnr");
  EXPECT_EQ(both("adjusted").activations().calibration, "min-max");
  EXPECT_EQ(both("symmetric").activations().schema, "symmetric");
  EXPECT_EQ(both("enhanced").weights().calibration, "sqnr");
  EXPECT_EQ(both("symmetric").weights().schema, "symmetric");
}

TEST(ConvertOptionsTest, weights_of_16_bits_are_symmetric_unless_chosen) {
  EXPECT_EQ(parse({{"--weights_bitwidth", "16"}}).weights().schema, "symmetric");
  EXPECT_EQ(parse({{"--weights_bitwidth", "16"}, {"--param_quantizer", "tf"}}).weights().schema,
            "asymmetric");
}

}  // namespace
}  // namespace hexquant::pipeline
