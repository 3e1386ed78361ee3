#include "pipeline/convert.h"

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/table.h"
#include "commands/commands.h"
#include "core/finding_json.h"
#include "core/format.h"
#include "core/json.h"

namespace hexquant::cli {
namespace {

using pipeline::Arity;
using pipeline::ConvertGroup;
using pipeline::ConvertOption;
using pipeline::ConvertResult;

struct ConvertCommand {
  /// What CLI11 fills: values of each occurrence, and counts of flags, by spelling.
  pipeline::GivenOptions values;
  std::map<std::string, bool> flags;
  pipeline::ConvertExtras extras;
  bool verbose = false;

  /// Spellings that were on the command line.
  [[nodiscard]] pipeline::GivenOptions given() const {
    pipeline::GivenOptions all;
    for (const auto& [spelling, occurrences] : values) {
      if (!occurrences.empty()) all[spelling] = occurrences;
    }
    for (const auto& [spelling, is_set] : flags) {
      if (is_set) all[spelling] = {{}};
    }
    return all;
  }
};

const char* group_title(ConvertGroup group) {
  switch (group) {
    case ConvertGroup::kModel:
      return "Model";
    case ConvertGroup::kInputs:
      return "Inputs and outputs";
    case ConvertGroup::kQuantizer:
      return "Quantization";
    case ConvertGroup::kNumbers:
      return "Widths";
    case ConvertGroup::kOther:
      break;
  }
  return "Accepted, without effect here";
}

std::string help_of(const ConvertOption& option) {
  std::string help = option.help;
  constexpr std::size_t kShortList = 6;
  const char* gap = option.values.size() > kShortList ? ":\n" : ": ";
  if (!option.values.empty()) help += gap + format("{}", join(option.values, ", "));
  if (!option.fallback.empty()) help += format(" (default: {})", option.fallback);
  return help;
}

/// Results of an option that may stand alone: an empty text ends an occurrence.
std::vector<std::vector<std::string>> split_occurrences(const std::vector<std::string>& results) {
  std::vector<std::vector<std::string>> occurrences;
  std::vector<std::string> current;
  for (const std::string& result : results) {
    if (!result.empty()) {
      current.push_back(result);
      continue;
    }
    occurrences.push_back(std::move(current));
    current.clear();
  }
  if (!current.empty() || occurrences.empty()) occurrences.push_back(std::move(current));
  return occurrences;
}

/// An option that may stand alone. CLI11 cannot convert "no values" to a list of lists.
CLI::Option* add_optional_list(CLI::App& app, std::vector<std::vector<std::string>>& occurrences,
                               const std::string& names, const std::string& help) {
  const auto take = [&occurrences](const CLI::results_t& results) {
    occurrences = split_occurrences(results);
    return true;
  };
  CLI::Option* option =
      app.add_option(names, take, help)->expected(0, CLI::detail::expected_max_vector_size);
  option->allow_extra_args()->inject_separator();
  return option;
}

/// One spelling, or several that mean the same, as an option of the command.
void add_spelling(CLI::App& app, ConvertCommand& command, const ConvertOption& option,
                  const std::string& key, const std::string& names, const std::string& help,
                  const std::string& title) {
  if (option.arity == Arity::kFlag) {
    app.add_flag(names, command.flags[key], help)->group(title);
    return;
  }
  auto& values = command.values[key];
  CLI::Option* added = option.arity == Arity::kOptionalList
                           ? add_optional_list(app, values, names, help)
                           : app.add_option(names, values, help);
  added->group(title)->type_name(option.value_name);
}

void add_converter_options(CLI::App& app, ConvertCommand& command) {
  // Groups stand in the help in the order of their first options: those that do something first.
  for (const bool is_idle : {false, true}) {
    for (const ConvertOption& option : pipeline::convert_options()) {
      if (option.no_effect.empty() == is_idle) continue;
      std::string names = option.name;
      for (const std::string& alias : option.aliases) names = alias + "," + names;
      add_spelling(app, command, option, option.name, names, help_of(option),
                   group_title(is_idle ? ConvertGroup::kOther : option.group));
    }
  }
  for (const ConvertOption& option : pipeline::convert_options()) {
    for (const std::string& old : option.deprecated) {
      add_spelling(app, command, option, old, old, "Now " + option.name, "Old spellings");
    }
  }
}

/// The command line as a shell would take it, for the record.
std::string command_text(const pipeline::GivenOptions& given) {
  std::string text = "hexquant convert";
  for (const auto& [spelling, occurrences] : given) {
    for (const auto& values : occurrences) {
      text += " " + spelling;
      for (const std::string& value : values) text += " " + value;
    }
  }
  return text;
}

void print_result(const ConvertResult& result) {
  std::string text;
  if (result.quantized) {
    text += format("quantized with {} samples: output SQNR {} dB, cosine {}\n",
                   result.calibration_samples, number_text(result.sqnr_db, 2),
                   number_text(result.cosine, 6));
  } else {
    text += "float model, not quantized\n";
  }
  for (const auto& file : result.files) text += "  " + file.string() + "\n";
  text += "\n" + qairt_text(result.commands);
  std::fputs(text.c_str(), stdout);
}

Json result_json(const ConvertResult& result) {
  Json files = Json::array();
  for (const auto& file : result.files) files.push_back(file.string());
  const bool quantized = result.quantized;
  return {{"quantized", quantized},
          {"files", std::move(files)},
          {"calibration_samples", result.calibration_samples},
          {"sqnr_db", quantized ? Json(result.sqnr_db) : Json()},
          {"cosine", quantized ? Json(result.cosine) : Json()},
          {"qairt",
           {{"converter", result.commands.converter},
            {"quantizer", quantized ? Json(result.commands.quantizer) : Json()},
            {"carry", quantized ? Json(result.commands.carry) : Json()},
            {"missing", result.commands.missing}}},
          {"findings", findings_json(result.findings)}};
}

int run_convert(const ConvertCommand& command, const CommandContext& context) {
  const pipeline::GivenOptions given = command.given();
  const pipeline::ConvertArguments arguments(given);
  if (arguments.given("--dry_run")) {
    print_findings(arguments.findings(), command.verbose);
    std::fputs(pipeline::convert_dry_run(arguments, command.extras).c_str(), stdout);
    return kExitDone;
  }
  const ConvertResult result = pipeline::convert(arguments, command.extras, command_text(given),
                                                 context.threads(), context.progress());
  print_findings(result.findings, command.verbose);
  if (context.common.json_path != "-") print_result(result);
  write_json_result(context.common, "convert", result_json(result));
  return kExitDone;
}

}  // namespace

void add_convert_command(CLI::App& program, CommandContext& context) {
  CLI::App* app = program.add_subcommand(
      "convert", "Take the command lines of qnn-onnx-converter, option for option");
  const auto command = std::make_shared<ConvertCommand>();
  add_converter_options(*app, *command);
  const char* own = "Options of this program";
  app->add_option("--soc", command->extras.soc, "Chip: part number or name")
      ->capture_default_str()
      ->group(own);
  app->add_flag("--allow_unmatched_overrides", command->extras.allow_unmatched_overrides,
                "Go on when names in --quantization_overrides match no tensor")
      ->group(own);
  app->add_flag("-v,--verbose", command->verbose, "Print informational findings too")->group(own);
  add_common_options(*app, context.common);
  app->footer(
      "Meaning and defaults are the converter's: 8-bit biases, one scale for the weights of a\n"
      "layer, min-max ranges; findings say what is better. For -o X.cpp it writes X.onnx (Q/DQ),\n"
      "X_float.onnx, X.encodings, X_overrides.json, X_net.json and X_recipe.json, and prints the\n"
      "same as qairt-converter and qairt-quantizer commands. Image inputs and outputs become\n"
      "channel-last, and raw files hold them so, unless --preserve_io layout is given.\n\n"
      "Example:\n"
      "  hexquant convert --input_network model.onnx --output_path model_qnn.cpp \\\n"
      "      --input_dim input 1,3,224,224 --input_list calibration/input_list.txt \\\n"
      "      --act_bw 8 --weight_bw 8 --bias_bw 32 --algorithms cle \\\n"
      "      --use_per_channel_quantization");
  app->callback([command, &context] {
    context.action = [command, &context] { return run_convert(*command, context); };
  });
}

}  // namespace hexquant::cli
