#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "commands/commands.h"
#include "commands/profile_text.h"
#include "core/file_io.h"
#include "core/format.h"
#include "pipeline/profile_run.h"
#include "report/profile_html.h"

namespace hexquant::cli {
namespace {

struct ProfileArguments {
  pipeline::ProfileRequest request;
  std::string format;
  std::string by = "node";
  std::size_t top = 20;
  std::string csv;
  std::string report;
  bool verbose = false;
};

profiling::ProfileGrouping grouping_of(const std::string& name) {
  if (name == "op") return profiling::ProfileGrouping::kOp;
  if (name == "unit") return profiling::ProfileGrouping::kUnit;
  return profiling::ProfileGrouping::kNode;
}

int run_profile(ProfileArguments arguments, const CommandContext& context) {
  arguments.request.format = profiling::profile_format_of(arguments.format);
  const pipeline::ProfileResult result = pipeline::profile_run(arguments.request);
  Json json = {{"files", arguments.request.files}};
  json.update(pipeline::to_json(result));
  if (!arguments.csv.empty()) write_file(arguments.csv, pipeline::profile_csv(result));
  if (!arguments.report.empty()) {
    Json page = result_header("profile");
    page.update(json);
    write_file(arguments.report, report::profile_html(page));
  }
  if (context.common.json_path != "-") {
    const std::string text =
        profile_text(result, {.top = arguments.top, .grouping = grouping_of(arguments.by)});
    std::fputs(text.c_str(), stdout);
    print_findings(result.findings, arguments.verbose);
  }
  write_json_result(context.common, "profile", std::move(json));
  return kExitDone;
}

void add_options(CLI::App& command, ProfileArguments& arguments) {
  command
      .add_option("FILE", arguments.request.files,
                  "Profiles, and files that name their operations (qnn_op_trace.json,\n"
                  "*_schematic.bin)")
      ->required();
  std::vector<std::string> names;
  for (const profiling::ProfileFormat format : profiling::kProfileFormats) {
    names.emplace_back(profiling::profile_format_name(format));
  }
  command
      .add_option("--format", arguments.format, "Read the profiles as this (default: by content)")
      ->check(CLI::IsMember(names));
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->capture_default_str();
  };
  add("--top", arguments.top, "Rows of each table")->check(CLI::Range(1, 1000000));
  add("--by", arguments.by, "Rows are ONNX nodes, operation types or hardware units")
      ->check(CLI::IsMember({"node", "op", "unit"}));
  command.add_flag("--compare", arguments.request.compare,
                   "The two profiles are before and after: print what changed");
  command.add_option("--model", arguments.request.model,
                     "ONNX model: operations are mapped to its nodes, and nodes on the CPU are\n"
                     "explained by the chip's rules");
  add("--soc", arguments.request.soc, "Chip of these rules: part number or name");
  command.add_option("--csv", arguments.csv, "Write all rows as CSV");
  command.add_option("--report", arguments.report, "Write a self-contained page")
      ->type_name("FILE.html");
  command.add_flag("-v,--verbose", arguments.verbose, "Print informational findings too");
}

}  // namespace

void add_profile_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "profile", "Read profiles of any format: where the time goes, what fell back to the CPU");
  const auto arguments = std::make_shared<ProfileArguments>();
  add_options(*command, *arguments);
  add_common_options(*command, context.common);
  command->footer(
      "Formats, told apart by content:\n"
      "  node-lines    lines 'Node conv1 HTP execute time: 123.4 us'\n"
      "  viewer-text   text of qnn-profile-viewer: basic, detailed or linting; snpe-diagview\n"
      "  qnn-csv       CSV of ONNX Runtime's QNN provider, or of qnn-profile-viewer\n"
      "  qnn-log       binary *_qnn.log: the simulator's traces inside it\n"
      "  ort-trace     ONNX Runtime's JSON (enable_profiling): the only one with CPU nodes\n"
      "  chrome-trace  chrometrace.json made from an optrace\n"
      "  qhas          *_qnn_htp_analysis_summary.json\n"
      "Several FILEs of one format are repetitions of one measurement: their means are shown.\n"
      "Cycles of operations are no time and must not be added up: the HTP runs several at once.\n"
      "Malformed lines are counted and shown, never fatal.\n\n"
      "Examples:\n"
      "  hexquant profile profiling_results/qnn-profiling-data.log\n"
      "  hexquant profile profile.csv qnn_op_trace.json --model out/model.onnx --by op\n"
      "  hexquant profile ort_profile.json --model out/model.onnx --report profile.html\n"
      "  hexquant profile before.json after.json --compare");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_profile(*arguments, context); };
  });
}

}  // namespace hexquant::cli
