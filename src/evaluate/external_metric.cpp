#include "evaluate/external_metric.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <system_error>

#include "core/child_process.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/helper_program.h"
#include "core/json.h"
#include "core/json_cursor.h"
#include "data/npy.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return {};
  const std::size_t start = text.find_last_of('\n', end);
  return text.substr(start == std::string::npos ? 0 : start + 1, end - (start + 1) + 1);
}

/// @param who  "metric program 'score.py'"
double parse_number(const std::string& who, const std::string& line) {
  char* end = nullptr;
  const double value = std::strtod(line.c_str(), &end);
  if (line.empty() || *end != '\0' || !std::isfinite(value)) {
    throw Error(ErrorCode::kInvalidData, format("{}: last line is '{}', expected one finite number",
                                                who, line.substr(0, 80)));
  }
  return value;
}

constexpr std::size_t kMostComplaintBytes = 200;

/// A plug-in's own last word, and that of the worker, which says what function failed.
std::string last_two_lines(const std::string& text) {
  const std::string last = last_line(text);
  const std::string before = last_line(text.substr(0, text.rfind(last)));
  return before.empty() ? last : format("{}: {}", last, before);
}

void check_status(const std::string& who, const ChildProcess& child, const std::string& complaint) {
  if (child.status() == 0) return;
  throw Error(ErrorCode::kInvalidData,
              format("{} failed: {}{}{}", who, child.ending(), complaint.empty() ? "" : ": ",
                     complaint.substr(0, kMostComplaintBytes)));
}

/// Runs the child to its end, or kills it and its children.
void wait_for(ChildProcess& child, const std::string& who, double time_limit_s,
              const ProgressSink& progress) {
  const auto start = Clock::now();
  while (child.step()) {
    if (progress.cancelled()) throw Error(ErrorCode::kCancelled, "cancelled");
    if (std::chrono::duration<double>(Clock::now() - start).count() > time_limit_s) {
      throw Error(ErrorCode::kInvalidData, format("{} did not end within {} s", who, time_limit_s));
    }
  }
  child.finish();
}

std::string plugin_name(const std::string& file) {
  return format("metric plug-in '{}'", file);
}

/// @param folder  empty: only looks at the plug-in
ChildOptions plugin_process(const std::string& file, const fs::path& folder,
                            const fs::path& labels) {
  ChildOptions options;
  options.arguments = {find_helper_program("hexquant_metric_worker", "HEXQUANT_METRIC_WORKER",
                                           "loads metric plug-ins")
                           .string(),
                       file};
  if (!folder.empty()) options.arguments.push_back(folder.string());
  if (!folder.empty() && !labels.empty()) options.arguments.push_back(labels.string());
  return options;
}

std::string output_name(std::size_t index) {
  return format("output_{}", index);
}

}  // namespace

OutputFolder::OutputFolder(fs::path folder, const std::string& model,
                           const std::vector<std::string>& output_names, std::int64_t files,
                           std::int64_t batch)
    : folder_(std::move(folder)) {
  Json manifest;
  manifest["model"] = model;
  manifest["files"] = files;
  manifest["batch"] = batch;
  manifest["outputs"] = Json::array();
  for (std::size_t i = 0; i < output_names.size(); ++i) {
    const std::string name = output_name(i);
    manifest["outputs"].push_back({{"name", output_names[i]}, {"folder", name}});
    std::error_code failure;
    fs::create_directories(folder_ / name, failure);
    if (failure) {
      throw Error(ErrorCode::kIo, format("{}: {}", (folder_ / name).string(), failure.message()));
    }
  }
  write_file(folder_ / "manifest.json", to_text(manifest));
}

void OutputFolder::write(std::int64_t item, const std::vector<Tensor>& outputs) const {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    data::write_npy(output_file(folder_, i, item), outputs[i]);
  }
}

fs::path output_file(const fs::path& folder, std::size_t output, std::int64_t item) {
  return folder / output_name(output) / format("{:06}.npy", item);
}

OutputManifest read_output_manifest(const fs::path& folder) {
  const fs::path file = folder / "manifest.json";
  const Json json = read_json(file);
  const std::string origin = file.string();
  const JsonCursor root(json, origin);
  OutputManifest manifest;
  manifest.files = root.at("files").integer(0, std::numeric_limits<std::int64_t>::max());
  const JsonCursor outputs = root.at("outputs");
  outputs.expect_array();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    manifest.outputs.push_back(outputs.at(i).at("name").text());
  }
  return manifest;
}

double run_metric_program(const std::string& program, const fs::path& folder,
                          const fs::path& labels, double time_limit_s,
                          const ProgressSink& progress) {
  std::vector<std::string> arguments = {"/bin/sh", "-c", program + " \"$@\"", "sh",
                                        folder.string()};
  if (!labels.empty()) arguments.push_back(labels.string());
  ChildProcess child({.arguments = std::move(arguments)});
  const std::string who = format("metric program '{}'", program);
  wait_for(child, who, time_limit_s, progress);
  check_status(who, child, last_line(child.errors()));
  return parse_number(who, last_line(child.output()));
}

double run_plugin_metric(const std::string& file, const fs::path& folder, const fs::path& labels,
                         double time_limit_s, const ProgressSink& progress) {
  ChildProcess child(plugin_process(file, folder, labels));
  const std::string who = plugin_name(file);
  wait_for(child, who, time_limit_s, progress);
  check_status(who, child, last_two_lines(child.errors()));
  return parse_number(who, last_line(child.output()));
}

void check_plugin_metric(const std::string& file, double time_limit_s,
                         const ProgressSink& progress) {
  ChildProcess child(plugin_process(file, {}, {}));
  const std::string who = plugin_name(file);
  wait_for(child, who, time_limit_s, progress);
  if (child.status() == 0) return;
  const std::string complaint = last_line(child.errors());
  throw Error(ErrorCode::kInvalidArgument,
              format("{}: {}", who, complaint.empty() ? child.ending() : complaint));
}

double run_external_metric(const Task& task, const fs::path& folder, const ProgressSink& progress) {
  const auto run = task.metric.kind == MetricKind::kPlugin ? run_plugin_metric : run_metric_program;
  return run(task.metric.program, folder, task.labels_file, task.time_limit_s, progress);
}

}  // namespace hexquant::evaluate
