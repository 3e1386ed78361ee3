#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "commands/commands.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/htp_setup.h"

namespace hexquant::cli {
namespace {

using pipeline::HtpCheck;
using pipeline::HtpSetupPlan;
using runtime::HtpInstallation;

struct SetupArguments {
  std::string component;
  std::string version = pipeline::kHtpTestedVersion;
  bool accept_licence = false;
  bool dry_run = false;
  bool remove = false;
};

void say(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

std::string licence_text(const HtpSetupPlan& plan) {
  return format(
      "{0} {1} is Qualcomm's software under the {2}.\n"
      "The licence, Qualcomm_LICENSE.pdf, comes inside the package and will lie in\n"
      "  {3}\n"
      "To read it first: python3 -m pip download --no-deps --only-binary :all: --python-version "
      "3.11 "
      "{0}=={1}\nand open the file in the wheel, which is a zip archive.",
      pipeline::kHtpPackage, plan.version, pipeline::kHtpLicence, plan.licence.string());
}

/// Whether the user accepts the licence: by the flag, or asked at the terminal.
/// @throws Error(kInvalidArgument) when there is nobody to ask
bool accepts_licence(const SetupArguments& arguments, const HtpSetupPlan& plan) {
  if (!arguments.accept_licence && ::isatty(STDIN_FILENO) == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                format("setup htp: {} is under the {} and there is no terminal to ask at: pass "
                       "--accept-licence to accept it",
                       pipeline::kHtpPackage, pipeline::kHtpLicence));
  }
  say(licence_text(plan));
  if (arguments.accept_licence) {
    say("accepted by --accept-licence");
    return true;
  }
  std::fputs("Do you accept it and want the package installed (about 250 MB)? [y/N] ", stderr);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

/// Installs, showing what Python and pip printed only when they fail.
HtpInstallation install(const HtpSetupPlan& plan, const CommandContext& context) {
  std::string log;
  try {
    return pipeline::install_htp(plan, log, context.progress());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCancelled) std::fputs(log.c_str(), stderr);
    throw;
  }
}

/// What the command ends with.
struct SetupOutcome {
  std::string
      action;  ///< "planned", "kept", "installed", "declined", "removed", "nothing-to-remove"
  std::optional<HtpInstallation> installation;
  std::optional<HtpCheck> check;
};

std::string version_text(const std::string& version) {
  if (version.empty()) return "unknown version";
  if (version == pipeline::kHtpTestedVersion) return version + " (tested with this hexquant)";
  return format("{} (untested: {} is what this hexquant was tested with)", version,
                pipeline::kHtpTestedVersion);
}

std::string plan_text(const HtpSetupPlan& plan) {
  if (plan.from_variable) {
    return format("HEXQUANT_QNN_ROOT names {}: nothing would be installed\n",
                  plan.present->folder.string());
  }
  if (!plan.installs) return "it is there already: nothing would be installed\n";
  return format("would install {} {}\ninto          {}\nlicence       {} ({})\n",
                pipeline::kHtpPackage, version_text(plan.version), plan.environment.string(),
                pipeline::kHtpLicence, plan.licence.string());
}

std::string outcome_text(const HtpSetupPlan& plan, const SetupOutcome& outcome) {
  if (outcome.action == "planned") return plan_text(plan);
  if (outcome.action == "declined") return "nothing was installed\n";
  if (outcome.action == "removed") return format("removed {}\n", plan.environment.string());
  if (outcome.action == "nothing-to-remove") {
    return format("{} is not there\n", plan.environment.string());
  }
  const HtpInstallation& installation = *outcome.installation;
  std::string text =
      format("package  {} {}, {}\nlies in  {}\nlicence  {} ({})\n", pipeline::kHtpPackage,
             version_text(installation.version), outcome.action, installation.folder.string(),
             pipeline::kHtpLicence, installation.licence.string());
  if (plan.from_variable) text += "         named by HEXQUANT_QNN_ROOT: nothing was installed\n";
  text += outcome.check->works ? format("check    a tiny model was compiled and run, {:.1f} s\n",
                                        outcome.check->seconds)
                               : format("check    FAILED: {}\n", outcome.check->reason);
  return text;
}

Json to_json(const HtpSetupPlan& plan, const SetupOutcome& outcome) {
  const auto& installation = outcome.installation;
  Json json = {{"component", "htp"},
               {"action", outcome.action},
               {"environment", plan.environment.string()},
               {"from_variable", plan.from_variable}};
  const std::string version = installation ? installation->version : plan.version;
  json["package"] = {{"name", pipeline::kHtpPackage},
                     {"version", version},
                     {"tested_version", pipeline::kHtpTestedVersion},
                     {"tested", version == pipeline::kHtpTestedVersion},
                     {"folder", nullptr}};
  if (installation) json["package"]["folder"] = installation->folder.string();
  json["licence"] = {
      {"name", pipeline::kHtpLicence},
      {"file", installation ? installation->licence.string() : plan.licence.string()}};
  json["check"] = nullptr;
  if (outcome.check) {
    json["check"] = {{"works", outcome.check->works},
                     {"reason", outcome.check->reason},
                     {"seconds", outcome.check->seconds}};
  }
  return json;
}

SetupOutcome keep(const HtpInstallation& installation, HtpCheck check) {
  return {"kept", installation, std::move(check)};
}

SetupOutcome set_up(const SetupArguments& arguments, const HtpSetupPlan& plan,
                    const CommandContext& context) {
  if (arguments.dry_run) return {"planned", plan.present, std::nullopt};
  if (!plan.installs) {
    HtpCheck check = pipeline::check_htp(*plan.present, context.progress());
    if (check.works || plan.from_variable) return keep(*plan.present, std::move(check));
    say(format("what is installed does not work ({}): it is installed again", check.reason));
  }
  if (!accepts_licence(arguments, plan)) return {"declined", std::nullopt, std::nullopt};
  const HtpInstallation installation = install(plan, context);
  return {"installed", installation, pipeline::check_htp(installation, context.progress())};
}

int exit_status(const SetupOutcome& outcome) {
  if (outcome.action == "declined") return kExitMissingComponent;
  return outcome.check && !outcome.check->works ? kExitCheckFailed : kExitDone;
}

int run_setup(const SetupArguments& arguments, const CommandContext& context) {
  HtpSetupPlan plan;
  SetupOutcome outcome;
  if (arguments.remove) {
    plan.version = arguments.version;
    plan.environment = runtime::private_htp_environment();
    outcome.action = pipeline::remove_htp(plan.environment) ? "removed" : "nothing-to-remove";
  } else {
    plan = pipeline::plan_htp_setup(arguments.version);
    outcome = set_up(arguments, plan, context);
  }
  if (context.common.json_path != "-") {
    std::fputs(outcome_text(plan, outcome).c_str(), stdout);
  }
  write_json_result(context.common, "setup", to_json(plan, outcome));
  return exit_status(outcome);
}

}  // namespace

void add_setup_command(CLI::App& program, CommandContext& context) {
  CLI::App* command =
      program.add_subcommand("setup", "Install an optional component: the vendor's HTP simulator");
  const auto arguments = std::make_shared<SetupArguments>();
  command->add_option("COMPONENT", arguments->component, "What to install: htp")
      ->required()
      ->check(CLI::IsMember({"htp"}));
  command->add_flag("--accept-licence", arguments->accept_licence,
                    "Accept the vendor's licence without being asked: for scripts");
  command->add_option("--version", arguments->version, "Version of onnxruntime-qnn")
      ->capture_default_str();
  auto* dry_run =
      command->add_flag("--dry-run", arguments->dry_run, "Say what would be done, and do nothing");
  command->add_flag("--remove", arguments->remove, "Remove what setup installed")
      ->excludes(dry_run);
  add_common_options(*command, context.common);
  command->footer(
      "The HTP simulator computes what the NPU computes, bit by bit, on an x86-64 Linux machine,\n"
      "and compiles for real chips. It is Qualcomm's software, the Python package onnxruntime-qnn\n"
      "under the Qualcomm AI Stack License (Qualcomm_LICENSE.pdf inside it), so it is not part of\n"
      "hexquant: this command names the licence, asks, and has pip put the package into a private\n"
      "Python environment, $XDG_DATA_HOME/hexquant/qnn (else ~/.local/share/hexquant/qnn, about\n"
      "250 MB). Then a tiny model is compiled and run as a check.\n\n"
      "HEXQUANT_QNN_ROOT  a Python environment, site-packages folder or package folder to use\n"
      "                   instead: it is checked, nothing is installed\n"
      "HEXQUANT_PYTHON    the Python whose pip is run (default python3)\n\n"
      "Exit status: 0 it works, 1 it is there but the check fails, 2 nobody to ask and no\n"
      "--accept-licence, 3 declined, or Python, pip or the package cannot be had.\n\n"
      "Examples:\n"
      "  hexquant setup htp\n"
      "  hexquant setup htp --accept-licence --json setup.json\n"
      "  hexquant setup htp --remove");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_setup(*arguments, context); };
  });
}

}  // namespace hexquant::cli
