#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "core/json.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"

namespace hexquant::cli {

/// Exit statuses of the program (documented in --help).
enum ExitStatus : int {
  kExitDone = 0,
  kExitCheckFailed = 1,
  kExitBadInput = 2,
  kExitMissingComponent = 3,
  kExitInternal = 70
};

/// Options that every command has.
struct CommonOptions {
  std::string json_path;
  int threads = 0;  ///< 0 = all hardware threads
  std::uint64_t seed = 0;
  bool seed_given = false;
};

/// What commands share: common options, progress, and the action that main runs after parsing.
struct CommandContext {
  CommonOptions common;
  std::function<int()> action;  ///< set by the chosen command; returns an ExitStatus

  [[nodiscard]] int threads() const;
  /// Bars on a terminal, nothing in a pipe; cancelled by Ctrl-C.
  [[nodiscard]] ProgressSink& progress() const;
};

/// Adds --json, --threads and --seed.
void add_common_options(CLI::App& command, CommonOptions& options);

/// Writes `result` to --json FILE, if asked, with `schema`, `command` and `versions` first.
void write_json_result(const CommonOptions& options, const std::string& command, Json result);

/// The members every machine result starts with.
[[nodiscard]] Json result_header(const std::string& command);

/// Prints findings to stderr, one line each; informational ones only when `verbose`.
void print_findings(const Findings& findings, bool verbose = false);

/// Maps the current exception to a message on stderr and an exit status. Call from a catch block.
[[nodiscard]] int report_exception() noexcept;

}  // namespace hexquant::cli
