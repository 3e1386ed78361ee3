#include "evaluate/external_metric.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <system_error>

#include "core/child_process.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
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

double parse_number(const std::string& program, const std::string& line) {
  char* end = nullptr;
  const double value = std::strtod(line.c_str(), &end);
  if (line.empty() || *end != '\0' || !std::isfinite(value)) {
    throw Error(ErrorCode::kInvalidData,
                format("metric program '{}': last line is '{}', expected one finite number",
                       program, line.substr(0, 80)));
  }
  return value;
}

void check_status(const std::string& program, const ChildProcess& child) {
  if (child.status() == 0) return;
  const std::string complaint = last_line(child.errors());
  throw Error(ErrorCode::kInvalidData,
              format("metric program '{}' failed: {}{}{}", program, child.ending(),
                     complaint.empty() ? "" : ": ", complaint.substr(0, 200)));
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
    const std::string name = format("output_{}", i);
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
    data::write_npy(folder_ / format("output_{}", i) / format("{:06}.npy", item), outputs[i]);
  }
}

double run_metric_program(const std::string& program, const fs::path& folder,
                          const fs::path& labels, double time_limit_s,
                          const ProgressSink& progress) {
  std::vector<std::string> arguments = {"/bin/sh", "-c", program + " \"$@\"", "sh",
                                        folder.string()};
  if (!labels.empty()) arguments.push_back(labels.string());
  ChildProcess child({.arguments = std::move(arguments)});
  const auto start = Clock::now();
  while (child.step()) {
    if (progress.cancelled()) throw Error(ErrorCode::kCancelled, "cancelled");
    if (std::chrono::duration<double>(Clock::now() - start).count() > time_limit_s) {
      throw Error(ErrorCode::kInvalidData,
                  format("metric program '{}' did not end within {} s", program, time_limit_s));
    }
  }
  child.finish();
  check_status(program, child);
  return parse_number(program, last_line(child.output()));
}

}  // namespace hexquant::evaluate
