#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands/commands.h"
#include "core/file_io.h"
#include "core/finding_json.h"
#include "core/format.h"
#include "formats/encodings/convert_encodings.h"
#include "formats/encodings/diff_encodings.h"
#include "formats/encodings/encoding_file.h"
#include "formats/onnx/onnx_io.h"
#include "pipeline/encodings_lint.h"
#include "target/target.h"

namespace hexquant::cli {
namespace {

using pipeline::TensorMatch;

/// Chip whose rules say on which axes weights have their channels; the same for every chip.
constexpr const char* kAnyChip = "SM8650";

struct ConvertArguments {
  std::string input;
  std::string version;
  std::string output;
  std::string model;
  bool verbose = false;
};

struct LintArguments {
  std::string input;
  std::string model;
  std::string soc;
  bool verbose = false;
};

struct DiffArguments {
  std::string before;
  std::string after;
  double tolerance = 0.0;
};

int run_convert(const ConvertArguments& arguments, const CommandContext& context) {
  formats::EncodingFile file = formats::read_encodings(arguments.input);
  const std::string from = version_name(file.version);
  const std::size_t count = file.entries.size();
  std::optional<graph::Graph> graph;
  if (!arguments.model.empty()) graph = formats::read_onnx(arguments.model);
  const target::Rules rules = target::load_target(kAnyChip).rules;
  std::optional<formats::ModelView> model;
  if (graph) model.emplace(formats::ModelView{*graph, rules});
  Findings findings;
  const auto version = formats::find_version(arguments.version);
  file = formats::convert_encodings(std::move(file), *version, model ? &*model : nullptr, findings);
  write_file(arguments.output, to_text(formats::encodings_json(file)));
  print_findings(findings, arguments.verbose);
  if (context.common.json_path != "-") {
    std::printf("%s: %s, %zu of %zu encodings written as %s to %s\n", arguments.input.c_str(),
                from.c_str(), file.entries.size(), count, arguments.version.c_str(),
                arguments.output.c_str());
  }
  write_json_result(context.common, "encodings-convert",
                    {{"input", arguments.input},
                     {"output", arguments.output},
                     {"from", from},
                     {"to", arguments.version},
                     {"read", count},
                     {"written", file.entries.size()},
                     {"findings", findings_json(findings)}});
  const bool lost = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.severity == Severity::kError;
  });
  return lost ? kExitCheckFailed : kExitDone;
}

std::string lint_text(const pipeline::EncodingsLint& lint, const LintArguments& arguments) {
  std::string text = format("{} ({}) against {}\n", arguments.input, lint.version, arguments.model);
  for (const auto& [match, meaning] :
       {std::pair(TensorMatch::kMatched, "in both"),
        std::pair(TensorMatch::kUnknown, "in the file only: converters ignore them"),
        std::pair(TensorMatch::kMissing, "in the model only, and needed"),
        std::pair(TensorMatch::kShared, "without entry: a data mover passes one on"),
        std::pair(TensorMatch::kFused, "without entry: inside operations that run as one"),
        std::pair(TensorMatch::kFolded, "without entry: folding removes them"),
        std::pair(TensorMatch::kConstant, "without entry: constants")}) {
    const std::int64_t count = lint.count(match);
    if (count != 0) {
      text += format("  {:<9} {:>6}  {}\n", pipeline::match_name(match), count, meaning);
    }
  }
  for (const Finding& finding : lint.findings) {
    if (finding.severity == Severity::kInfo && !arguments.verbose) continue;
    text += format("{}: {}: {}{} [{}]\n", severity_name(finding.severity), finding.where,
                   finding.reason, finding.fix.empty() ? "" : " -> " + finding.fix, finding.id);
  }
  if (!lint.has_errors()) text += "no errors\n";
  return text;
}

int run_lint(const LintArguments& arguments, const CommandContext& context) {
  const formats::EncodingFile file = formats::read_encodings(arguments.input);
  const graph::Graph graph = formats::read_onnx(arguments.model);
  const bool check_htp = !arguments.soc.empty();
  const target::Target target = target::load_target(check_htp ? arguments.soc : kAnyChip);
  const pipeline::EncodingsLint lint = pipeline::lint_encodings(file, graph, target, check_htp);
  if (context.common.json_path != "-") std::fputs(lint_text(lint, arguments).c_str(), stdout);
  Json json = {{"file", arguments.input},
               {"model", arguments.model},
               {"soc", check_htp ? Json(target.soc.name) : Json()}};
  json.update(pipeline::to_json(lint));
  write_json_result(context.common, "encodings-lint", std::move(json));
  return lint.has_errors() ? kExitCheckFailed : kExitDone;
}

std::string diff_text(const std::vector<formats::EncodingDiff>& diffs) {
  std::string text;
  for (const formats::EncodingDiff& diff : diffs) {
    text += format("{} {}", diff_name(diff.kind), diff.name);
    if (diff.kind == formats::DiffKind::kNumbers) {
      text += format("  range moved by {:.3g} of its length", diff.change);
    }
    text += "\n";
    if (!diff.before.empty()) text += format("  - {}\n", diff.before);
    if (!diff.after.empty()) text += format("  + {}\n", diff.after);
  }
  return text + format("{} differences\n", diffs.size());
}

int run_diff(const DiffArguments& arguments, const CommandContext& context) {
  const formats::EncodingFile before = formats::read_encodings(arguments.before);
  const formats::EncodingFile after = formats::read_encodings(arguments.after);
  const auto diffs = formats::diff_encodings(before, after, arguments.tolerance);
  if (context.common.json_path != "-") std::fputs(diff_text(diffs).c_str(), stdout);
  Json json = {
      {"before", arguments.before}, {"after", arguments.after}, {"tolerance", arguments.tolerance}};
  json.update(formats::diff_json(diffs));
  write_json_result(context.common, "encodings-diff", std::move(json));
  return diffs.empty() ? kExitDone : kExitCheckFailed;
}

void add_convert(CLI::App& group, CommandContext& context) {
  CLI::App* command = group.add_subcommand("convert", "Write the encodings in another version");
  const auto arguments = std::make_shared<ConvertArguments>();
  command->add_option("IN", arguments->input, "Encodings or quantization overrides")->required();
  command->add_option("--to", arguments->version, "Version to write: 0.6.1, 1.0.0 or 2.0.0")
      ->required()
      ->check(CLI::IsMember({"0.6.1", "1.0.0", "2.0.0"}));
  command->add_option("-o,--output", arguments->output, "File to write")->required();
  command->add_option("--model", arguments->model,
                      "ONNX model: says on which axis channels lie and which tensors are weights");
  command->add_flag("-v,--verbose", arguments->verbose, "Print informational findings too");
  add_common_options(*command, context.common);
  command->footer(
      "0.6.1  one dictionary for each group, what --quantization_overrides reads; no blocks\n"
      "1.0.0  lists; blocks and LPBQ, but no axis and no width without numbers\n"
      "2.0.0  one list in ONNX words; the only one with axes and positive zero points\n"
      "The same numbers are written wherever the version can express them; what it cannot is left\n"
      "out, named, and makes the exit status 1.\n\n"
      "Examples:\n"
      "  hexquant encodings convert model.encodings --to 0.6.1 -o overrides.json\n"
      "  hexquant encodings convert old.encodings --to 2.0.0 --model net.onnx -o new.encodings");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_convert(*arguments, context); };
  });
}

void add_lint(CLI::App& group, CommandContext& context) {
  CLI::App* command =
      group.add_subcommand("lint", "Check a file against the model it is for, tensor by tensor");
  const auto arguments = std::make_shared<LintArguments>();
  command->add_option("FILE", arguments->input, "Encodings or quantization overrides")->required();
  command->add_option("--model", arguments->model, "Float ONNX model")->required();
  command->add_option("--soc", arguments->soc,
                      "Also ask whether this chip takes the formats: part number or name");
  command->add_flag("-v,--verbose", arguments->verbose,
                    "Also list tensors that rightly have no entry, with the reason");
  add_common_options(*command, context.common);
  command->footer(
      "Converters ignore unknown names, entries in the wrong group and scales that do not fit, "
      "and\n"
      "the model is wrong on the device. Found here: names without tensor (with the nearest "
      "names),\n"
      "tensors without entry, wrong groups, numbers of channels and blocks, axes, offsets and "
      "ranges\n"
      "that contradict each other, data movers whose sides differ, floats mixed with integers, "
      "and\n"
      "with --soc what its HTP rejects or computes wrongly. Exit status 1 for errors only.\n\n"
      "Examples:\n"
      "  hexquant encodings lint model.encodings --model model_float.onnx --soc SM8650\n"
      "  hexquant encodings lint overrides.json --model net.onnx -v");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_lint(*arguments, context); };
  });
}

void add_diff(CLI::App& group, CommandContext& context) {
  CLI::App* command =
      group.add_subcommand("diff", "What differs between two files, worst first, any versions");
  const auto arguments = std::make_shared<DiffArguments>();
  command->add_option("A", arguments->before, "Encodings before")->required();
  command->add_option("B", arguments->after, "Encodings after")->required();
  command
      ->add_option("--tolerance", arguments->tolerance,
                   "Largest movement of a range that counts as equal, over its length")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  add_common_options(*command, context.common);
  command->footer(
      "Order: removed, added, other type, other number of scales, other width, other group, other\n"
      "numbers (largest movement first). Exit status 0 when nothing differs, else 1.\n\n"
      "Example:\n"
      "  hexquant encodings diff before.encodings after.encodings --tolerance 1e-6");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_diff(*arguments, context); };
  });
}

}  // namespace

void add_encodings_command(CLI::App& program, CommandContext& context) {
  CLI::App* group = program.add_subcommand(
      "encodings", "Convert, check and compare AIMET encodings and QNN overrides");
  group->require_subcommand(1);
  add_convert(*group, context);
  add_lint(*group, context);
  add_diff(*group, context);
  group->footer(
      "'hexquant encodings COMMAND --help' explains each. All read 0.6.1, 1.0.0, 2.0.0 "
      "and overrides.");
}

}  // namespace hexquant::cli
