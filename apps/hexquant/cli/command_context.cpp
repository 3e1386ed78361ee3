#include "cli/command_context.h"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>

#include "cli/terminal_progress.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/parallel.h"
#include "hexquant/error.h"
#include "hexquant/version.h"
#include "runtime/session.h"

namespace hexquant::cli {
namespace {

int exit_status(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kInvalidModel:
    case ErrorCode::kInvalidData:
    case ErrorCode::kIo:
    case ErrorCode::kUnsupported:
      return kExitBadInput;
    case ErrorCode::kMissingComponent:
      return kExitMissingComponent;
    case ErrorCode::kCancelled:
      return 130;  // what a shell reports for Ctrl-C
    case ErrorCode::kInternal:
      return kExitInternal;
  }
  return kExitInternal;
}

}  // namespace

int CommandContext::threads() const {
  return common.threads > 0 ? common.threads : hardware_threads();
}

ProgressSink& CommandContext::progress() const {
  return terminal_progress();
}

void add_common_options(CLI::App& command, CommonOptions& options) {
  command.add_option("--json", options.json_path, "Write the result as JSON to FILE ('-': stdout)")
      ->type_name("FILE");
  command
      .add_option("--threads", options.threads,
                  "Threads; results do not depend on it (default: all)")
      ->check(CLI::Range(1, 1024));
  command
      .add_option_function<std::uint64_t>(
          "--seed",
          [&options](const std::uint64_t& seed) {
            options.seed = seed;
            options.seed_given = true;
          },
          "Seed of everything that is drawn at random (default: 0)")
      ->type_name("UINT");
}

Json result_header(const std::string& command) {
  Json header;
  header["schema"] = format("hexquant-{}-1", command);
  header["command"] = command;
  header["versions"] = {{"hexquant", version()}, {"onnxruntime", runtime::runtime_version()}};
  return header;
}

void write_json_result(const CommonOptions& options, const std::string& command, Json result) {
  if (options.json_path.empty()) return;
  Json file = result_header(command);
  file.update(result);
  if (options.json_path == "-") {
    const std::string text = to_text(file);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return;
  }
  write_file(options.json_path, to_text(file));
}

void print_findings(const Findings& findings, bool verbose) {
  for (const Finding& finding : findings) {
    if (finding.severity == Severity::kInfo && !verbose) continue;
    const std::string fix = finding.fix.empty() ? "" : format(" -> {}", finding.fix);
    std::fprintf(stderr, "%s: %s: %s%s [%s]\n", severity_name(finding.severity),
                 finding.where.c_str(), finding.reason.c_str(), fix.c_str(), finding.id.c_str());
  }
}

int report_exception() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    std::fprintf(stderr, "hexquant: %s\n", error.what());
    return exit_status(error.code());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "hexquant: out of memory\n");
    return kExitInternal;
  } catch (const std::filesystem::filesystem_error& error) {
    std::fprintf(stderr, "hexquant: %s\n", error.what());
    return kExitBadInput;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hexquant: internal error: %s\n", error.what());
    return kExitInternal;
  } catch (...) {
    std::fprintf(stderr, "hexquant: internal error\n");
    return kExitInternal;
  }
}

}  // namespace hexquant::cli
