#include "pipeline/htp_setup.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "core/child_process.h"
#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;

/// The wheel is taken for this Python whatever Python runs set-up: only its libraries are used.
constexpr const char* kWheelPython = "3.11";
constexpr const char* kEnvironmentMark = "pyvenv.cfg";

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_program(const fs::path& file) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0;
}

/// Absolute path of the Python to run. @throws Error(kMissingComponent)
fs::path find_python() {
  const std::string given = environment_variable("HEXQUANT_PYTHON");
  const fs::path name = given.empty() ? "python3" : given;
  if (name.has_parent_path()) {
    if (is_program(name)) return fs::absolute(name);
  } else {
    std::string_view folders;
    const std::string path = environment_variable("PATH");
    for (folders = path; !folders.empty();) {
      const std::size_t end = std::min(folders.find(':'), folders.size());
      const fs::path file = fs::path(folders.substr(0, end)) / name;
      if (is_program(file)) return fs::absolute(file);
      folders.remove_prefix(std::min(end + 1, folders.size()));
    }
  }
  throw Error(ErrorCode::kMissingComponent,
              format("no Python: {} is not {}: install python3 and its pip, or set "
                     "HEXQUANT_PYTHON to another Python",
                     name.string(), name.has_parent_path() ? "a program" : "on PATH"));
}

/// The last line that a Python tool marks as its error, else the last line.
std::string complaint_of(const std::string& text) {
  constexpr std::size_t kShown = 300;
  std::string last;
  std::string marked;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
    if (line.starts_with("ERROR:") || line.starts_with("Error:")) marked = line;
    start = end + 1;
  }
  return (marked.empty() ? last : marked).substr(0, kShown);
}

/// Runs a program to its end and adds what it printed to `log`. @return true with exit status 0
bool run_program(std::vector<std::string> arguments, std::string& log,
                 const ProgressSink& progress) {
  ChildProcess child({.arguments = std::move(arguments)});
  while (child.step()) {
    if (progress.cancelled()) throw Error(ErrorCode::kCancelled, "cancelled");
  }
  child.finish();
  log += child.output() + child.errors();
  return child.status() == 0;
}

/// site-packages of a Python environment.
fs::path site_packages(const fs::path& environment) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(environment / "lib", ignored)) {
    const fs::path folder = entry.path() / "site-packages";
    if (fs::is_directory(folder, ignored)) return folder;
  }
  throw Error(ErrorCode::kMissingComponent,
              format("{}: python3 made an environment without lib/python*/site-packages",
                     environment.string()));
}

void require_pip(const fs::path& python, std::string& log, const ProgressSink& progress) {
  if (run_program({python.string(), "-m", "pip", "--version"}, log, progress)) return;
  throw Error(ErrorCode::kMissingComponent,
              format("{} has no pip: install python3-pip, or set HEXQUANT_PYTHON to a Python that "
                     "has it",
                     python.string()));
}

void make_environment(const fs::path& python, const fs::path& folder, std::string& log,
                      const ProgressSink& progress) {
  // The environment needs no pip of its own.
  if (run_program({python.string(), "-m", "venv", "--without-pip", folder.string()}, log,
                  progress)) {
    return;
  }
  throw Error(ErrorCode::kMissingComponent,
              format("{} cannot make an environment ({}): install python3-venv, or set "
                     "HEXQUANT_PYTHON to another Python",
                     python.string(), complaint_of(log)));
}

void install_package(const fs::path& python, const fs::path& folder, const std::string& version,
                     std::string& log, const ProgressSink& progress) {
  const bool done = run_program(
      {python.string(), "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
       "--progress-bar", "off", "--no-deps", "--only-binary", ":all:", "--python-version",
       kWheelPython, "--target", folder.string(), format("{}=={}", kHtpPackage, version)},
      log, progress);
  if (done) return;
  throw Error(ErrorCode::kMissingComponent,
              format("pip could not install {} {} ({}): it needs a package index, pip 20.3 or "
                     "later and glibc 2.35 or later",
                     kHtpPackage, version, complaint_of(log)));
}

bool is_version(const std::string& text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '+'; });
}

}  // namespace

void require_htp_machine(const std::string& system, const std::string& machine) {
  if (system == "Linux" && machine == "x86_64") return;
  throw Error(ErrorCode::kMissingComponent,
              format("the vendor's HTP simulator exists for Linux on x86_64 only; this machine is "
                     "{} on {}",
                     system, machine));
}

HtpSetupPlan plan_htp_setup(const std::string& version) {
  if (!is_version(version)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("--version: expected a version of {} such as {}, got '{}'", kHtpPackage,
                       kHtpTestedVersion, version));
  }
  HtpSetupPlan plan;
  plan.version = version;
  plan.environment = runtime::private_htp_environment();
  plan.from_variable = !environment_variable("HEXQUANT_QNN_ROOT").empty();
  plan.present = runtime::find_htp_installation();
  plan.installs = !plan.from_variable && (!plan.present || plan.present->version != version);
  plan.licence = plan.present ? plan.present->licence
                              : plan.environment / "lib" / "python*" / "site-packages" /
                                    "onnxruntime_qnn" / "Qualcomm_LICENSE.pdf";
  return plan;
}

runtime::HtpInstallation install_htp(const HtpSetupPlan& plan, std::string& log,
                                     ProgressSink& progress) {
  utsname machine{};
  ::uname(&machine);
  require_htp_machine(machine.sysname, machine.machine);
  const fs::path python = find_python();
  require_pip(python, log, progress);
  const ProgressStage stage(progress, format("installing {} {}", kHtpPackage, plan.version), 0);
  StagedDirectory staged(plan.environment);
  make_environment(python, staged.path(), log, progress);
  install_package(python, site_packages(staged.path()), plan.version, log, progress);
  if (!runtime::find_htp_installation_in(staged.path())) {
    throw Error(ErrorCode::kMissingComponent,
                format("{} {} from pip holds no HTP provider", kHtpPackage, plan.version));
  }
  remove_htp(plan.environment);
  staged.commit();
  return *runtime::find_htp_installation_in(plan.environment);
}

bool remove_htp(const fs::path& environment) {
  std::error_code error;
  if (!fs::exists(environment, error)) return false;
  if (!fs::exists(environment / kEnvironmentMark, error) && !fs::is_empty(environment, error)) {
    throw Error(ErrorCode::kIo,
                format("{}: is no Python environment: expected {} in it; remove it by hand",
                       environment.string(), kEnvironmentMark));
  }
  fs::remove_all(environment, error);
  if (error) {
    throw Error(ErrorCode::kIo, format("{}: {}", environment.string(), error.message()));
  }
  return true;
}

}  // namespace hexquant::pipeline
