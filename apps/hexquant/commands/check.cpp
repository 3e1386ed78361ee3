#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "commands/commands.h"
#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/checklist/checklist.h"
#include "pipeline/quantize_job.h"

namespace hexquant::cli {
namespace {

using pipeline::CheckItem;
using pipeline::CheckResult;
using pipeline::CheckStatus;

struct CheckArguments {
  pipeline::CheckRequest request;
  double device_memory_mb = 0.0;
  bool no_run = false;
  bool no_page = false;
  std::string junit;
};

const char* mark_of(CheckStatus status) {
  switch (status) {
    case CheckStatus::kPass:
      return "PASS";
    case CheckStatus::kFail:
      return "FAIL";
    case CheckStatus::kNotMeasured:
      break;
  }
  return " -- ";
}

std::string item_text(const CheckItem& item) {
  std::string text = format("  {}  {}\n", mark_of(item.status), item.title);
  const std::string figure = item.figure.empty() ? "not measured" : item.figure;
  text += format("        {} (demanded: {})\n", figure, item.threshold);
  if (!item.reason.empty()) text += format("        {}\n", item.reason);
  if (!item.fix.empty()) text += format("        -> {}\n", item.fix);
  return text;
}

std::string check_text(const CheckResult& result) {
  std::string text = result.folder + "\n";
  std::string group;
  for (const CheckItem& item : result.items) {
    if (item.group != group) text += "\n" + item.group + "\n";
    group = item.group;
    text += item_text(item);
  }
  return text + format("\n{} passed, {} failed, {} not measured\n",
                       result.count(CheckStatus::kPass), result.count(CheckStatus::kFail),
                       result.count(CheckStatus::kNotMeasured));
}

/// The checklist of report.html becomes this one. A folder that cannot be written to is no reason
/// to fail: the checklist itself is done.
void refresh_page(const CheckResult& result) {
  const std::string page = (std::filesystem::path(result.folder) / "report.html").string();
  try {
    (void)pipeline::update_page(result.folder, "checklist", pipeline::to_json(result));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIo) throw;
    print_findings({{"page-not-refreshed", Severity::kWarning, page, error.what(),
                     "copy the folder, or leave the page alone with --no-page"}});
  }
}

int run_check(CheckArguments arguments, const CommandContext& context) {
  pipeline::CheckRequest& request = arguments.request;
  if (arguments.device_memory_mb > 0.0) request.device_memory_mb = arguments.device_memory_mb;
  request.run = !arguments.no_run;
  request.threads = context.threads();
  request.seed = context.common.seed;
  const CheckResult result = pipeline::check_output(request, context.progress());
  if (!arguments.no_page) refresh_page(result);
  if (!arguments.junit.empty()) write_file(arguments.junit, pipeline::to_junit(result));
  if (context.common.json_path != "-") std::fputs(check_text(result).c_str(), stdout);
  write_json_result(context.common, "check", pipeline::to_json(result));
  return result.count(CheckStatus::kFail) == 0 ? kExitDone : kExitCheckFailed;
}

void add_options(CLI::App& command, CheckArguments& arguments) {
  pipeline::CheckRequest& request = arguments.request;
  command.add_option("OUT", request.folder, "Folder that 'quantize' or 'auto' wrote")->required();
  command.add_option("--profile", request.profiles,
                     "Profile of the model on a device, any format of 'hexquant profile'");
  CLI::Option* device =
      command
          .add_option("--device", request.device, "Where the repeated runs take place: cpu or htp")
          ->check(CLI::IsMember({"cpu", "htp"}))
          ->capture_default_str();
  command
      .add_option(
          "--runs", request.runs,
          "Result of 'hexquant net-run --json', of another machine too, instead of runs here")
      ->excludes(device);
  command.add_option("--soc", request.soc, "Chip; by default that of the recipe");
  command.add_flag("--no-run", arguments.no_run, "Do not run the model: files and data only");
  command.add_flag("--no-page", arguments.no_page, "Leave the checklist in OUT/report.html alone");
  command
      .add_option("--device-memory-mb", arguments.device_memory_mb,
                  "Memory of the device, 10^6 bytes")
      ->check(CLI::PositiveNumber);
  command.add_option("--labels", request.labels,
                     "Classes of the calibration samples: .npy, labels.csv or text");
  command.add_option("--tags", request.tags,
                     "Edge cases by name and index: {\"night\": [3, 17], \"rain\": [40]}");
  command.add_option("--thresholds", request.thresholds,
                     "JSON with other thresholds: {\"min_samples\": 500, \"min_sqnr_db\": 25}");
  command.add_option("--junit", arguments.junit, "Write JUnit XML for a CI service")
      ->type_name("FILE.xml");
}

}  // namespace

void add_check_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "check", "The sign-off checklist: data, settings, accuracy, performance, stability");
  const auto arguments = std::make_shared<CheckArguments>();
  add_options(*command, *arguments);
  add_common_options(*command, context.common);
  command->footer(
      "Goes through the article's checklist line by line. Each line is PASS, FAIL or -- (not\n"
      "measured), with the figure, what is demanded, why, and the command that mends or measures "
      "it.\n"
      "Exit status 1 says that a line failed; what was not measured fails nothing. The section\n"
      "Checklist of OUT/report.html becomes this one.\n\n"
      "Examples:\n"
      "  hexquant check out\n"
      "  hexquant check out --profile chrometrace.json --device-memory-mb 4000 --junit check.xml\n"
      "  hexquant check out --runs net_run.json\n"
      "  hexquant check out --no-run --thresholds ours.json");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_check(*arguments, context); };
  });
}

}  // namespace hexquant::cli
