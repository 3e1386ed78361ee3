#include "pipeline/profile_run.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/file_io.h"
#include "core/format.h"
#include "formats/onnx/onnx_io.h"
#include "formats/qnn/framework_trace.h"
#include "hexquant/error.h"
#include "pipeline/compile_model.h"
#include "pipeline/profile_fallback.h"
#include "profiling/profile_names.h"
#include "profiling/read_profile.h"

namespace hexquant::pipeline {
namespace {

using profiling::ProfileFile;
using profiling::ProfileFormat;
using profiling::ProfileTable;

/// Everything that was read, before it is put together.
struct Inputs {
  std::vector<ProfileTable> profiles;
  profiling::NameFiles names;
  std::vector<std::string> name_files;
};

void add_name_file(profiling::NameFile kind, const std::string& file, std::string_view bytes,
                   Inputs& inputs) {
  inputs.name_files.push_back(file);
  if (kind == profiling::NameFile::kSchematic) {
    inputs.names.schematics.push_back(profiling::parse_schematic(bytes));
    return;
  }
  formats::FrameworkTrace trace = formats::parse_framework_trace(std::string(bytes), file);
  if (!inputs.names.framework) {
    inputs.names.framework = std::move(trace);
    return;
  }
  formats::FrameworkTrace& all = *inputs.names.framework;
  std::move(trace.graphs.begin(), trace.graphs.end(), std::back_inserter(all.graphs));
  std::move(trace.unsupported.begin(), trace.unsupported.end(),
            std::back_inserter(all.unsupported));
}

void read_file(const std::string& file, const std::optional<ProfileFormat>& format,
               Inputs& inputs) {
  const MappedFile mapped(file);
  const std::string_view bytes(reinterpret_cast<const char*>(mapped.data()), mapped.size_bytes());
  const std::optional<ProfileFile> kind = profiling::detect_profile(bytes);
  if (kind && std::holds_alternative<profiling::NameFile>(*kind)) {
    add_name_file(std::get<profiling::NameFile>(*kind), file, bytes, inputs);
    return;
  }
  if (!format && !kind) {
    throw Error(ErrorCode::kInvalidData,
                hexquant::format("{}: no profile: expected 'Node NAME ... execute ... us' lines, "
                                 "text or CSV of qnn-profile-viewer, the CSV or log of ONNX "
                                 "Runtime's QNN provider, ONNX Runtime's JSON, a Chrome trace or "
                                 "QHAS JSON (--format forces one)",
                                 file));
  }
  inputs.profiles.push_back(
      profiling::read_profile(bytes, format ? *format : std::get<ProfileFormat>(*kind), file));
}

/// Repetitions of one measurement become one table.
void merge_repetitions(std::vector<ProfileTable>& profiles) {
  std::vector<ProfileTable> merged;
  for (ProfileTable& table : profiles) {
    const auto same = std::find_if(merged.begin(), merged.end(), [&](const ProfileTable& other) {
      return other.format == table.format && other.unit == table.unit;
    });
    if (same == merged.end()) {
      merged.push_back(std::move(table));
    } else {
      profiling::merge_profiles(*same, std::move(table));
    }
  }
  profiles = std::move(merged);
}

void add_names(Inputs& inputs, const graph::Graph* model) {
  inputs.names.model = model;
  const auto csv = std::find_if(
      inputs.profiles.begin(), inputs.profiles.end(),
      [](const ProfileTable& table) { return table.format == ProfileFormat::kQnnCsv; });
  if (csv != inputs.profiles.end()) inputs.names.operations = &*csv;
  for (ProfileTable& table : inputs.profiles) profiling::name_rows(table, inputs.names);
}

/// What our rules say about the model's nodes; a finding instead where they cannot say anything.
std::optional<target::PlacementReport> predict(const ProfileRequest& request, Findings& findings) {
  if (request.model.empty()) return std::nullopt;
  try {
    CompileRequest compile;
    compile.model = request.model;
    compile.htp.soc = request.soc;
    return predict_compilation(compile).placement;
  } catch (const Error& error) {
    findings.push_back({.id = "no-placement",
                        .severity = Severity::kInfo,
                        .where = request.model,
                        .reason = error.what(),
                        .fix = ""});
    return std::nullopt;
  }
}

void add_malformed_findings(ProfileTable& table) {
  if (table.malformed_count == 0) return;
  table.findings.push_back(
      {.id = "malformed-lines",
       .severity = Severity::kWarning,
       .where = hexquant::format("{}", join(table.sources, ", ")),
       .reason = hexquant::format("{} of {} lines are no measurements and were left out",
                                  table.malformed_count, table.lines),
       .fix = ""});
}

}  // namespace

ProfileResult profile_run(const ProfileRequest& request) {
  Inputs inputs;
  for (const std::string& file : request.files) read_file(file, request.format, inputs);
  if (inputs.profiles.empty()) {
    throw Error(ErrorCode::kInvalidData,
                hexquant::format("{}: only names of operations: give a profile too",
                                 join(request.files, ", ")));
  }
  if (request.compare && inputs.profiles.size() != 2) {
    throw Error(ErrorCode::kInvalidArgument,
                hexquant::format("--compare needs two profiles, got {}", inputs.profiles.size()));
  }
  if (!request.compare) merge_repetitions(inputs.profiles);
  std::optional<graph::Graph> model;
  if (!request.model.empty()) model = formats::read_onnx(request.model);
  add_names(inputs, model ? &*model : nullptr);

  ProfileResult result;
  result.name_files = std::move(inputs.name_files);
  result.model = request.model;
  const auto predicted = predict(request, result.findings);
  result.fallback =
      find_fallback(inputs.profiles, inputs.names.framework ? &*inputs.names.framework : nullptr,
                    predicted ? &*predicted : nullptr);
  if (request.compare) {
    result.comparison = profiling::compare_profiles(inputs.profiles[0], inputs.profiles[1]);
  }
  for (ProfileTable& table : inputs.profiles) {
    profiling::sort_rows(table);
    add_malformed_findings(table);
  }
  result.profiles = std::move(inputs.profiles);
  return result;
}

}  // namespace hexquant::pipeline
