#pragma once

#include <string>

#include "core/file_io.h"
#include "core/json.h"
#include "formats/encodings/convert_encodings.h"
#include "formats/encodings/encoding_file.h"
#include "formats/onnx/onnx_io.h"
#include "target/target.h"

// Files exported by aimet-onnx 2.42 (tests/formats/make_aimet_files.py) and the model they are for.
namespace hexquant::formats {

inline std::string aimet_path(const std::string& name) {
  return std::string(HEXQUANT_SOURCE_DIR) + "/tests/formats/aimet/" + name;
}

inline EncodingFile aimet_file(const std::string& kind, const std::string& version) {
  return read_encodings(aimet_path(kind + "_" + version + ".encodings"));
}

inline const graph::Graph& aimet_net() {
  static const graph::Graph graph = read_onnx(aimet_path("net.onnx"));
  return graph;
}

inline const target::Rules& rules() {
  static const target::Rules rules = target::load_target("SM8650").rules;
  return rules;
}

/// Finds an entry; a default one when there is none.
inline EncodingEntry entry(const EncodingFile& file, const std::string& name) {
  for (const EncodingEntry& candidate : file.entries) {
    if (candidate.name == name) return candidate;
  }
  return {};
}

inline std::vector<std::string> ids(const Findings& findings) {
  std::vector<std::string> result;
  for (const Finding& finding : findings) result.push_back(finding.id + " " + finding.where);
  return result;
}

}  // namespace hexquant::formats
