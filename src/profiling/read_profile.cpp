#include "profiling/read_profile.h"

#include <algorithm>

#include "profiling/chrome_trace.h"
#include "profiling/csv_table.h"
#include "profiling/node_lines.h"
#include "profiling/optrace_table.h"
#include "profiling/ort_trace.h"
#include "profiling/qhas.h"
#include "profiling/qnn_csv.h"
#include "profiling/viewer_text.h"

namespace hexquant::profiling {
namespace {

constexpr std::size_t kHeadBytes = 64 * 1024;

bool holds(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

std::optional<ProfileFile> detect_json(std::string_view text) {
  const std::string_view head = text.substr(0, kHeadBytes);
  if (text.front() == '[') {
    if (holds(head, "\"cat\"") && holds(head, "\"dur\"")) return ProfileFormat::kOrtTrace;
    return std::nullopt;
  }
  if (holds(head, "\"traceEvents\"")) {
    // The simulator's own trace, taken out of its log, has these arguments.
    const bool is_simulation = holds(head, "\"bw_info\"") || holds(head, "\"opcode\"");
    return is_simulation ? ProfileFormat::kQnnLog : ProfileFormat::kChromeTrace;
  }
  if (holds(head, "\"subgraph_traces\"") || holds(head, "\"soc_traces\"")) {
    return NameFile::kFrameworkTrace;
  }
  if (holds(text, "\"htp_overall_summary\"") || holds(text, "\"qnn_op_instances_nodes\"")) {
    return ProfileFormat::kQhas;
  }
  return std::nullopt;
}

std::optional<ProfileFile> detect_lines(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (match_node_line(line)) return ProfileFormat::kNodeLines;
    if (is_viewer_line(line)) return ProfileFormat::kViewerText;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return std::nullopt;
}

/// Lines of devices without any node: "CPU ... execute" alone is enough for the fallback section.
bool has_device_line(std::string_view text) {
  bool found = false;
  each_line(text, [&](std::string_view line, std::int64_t) {
    found = found || (holds(line, "execute") && (holds(line, "CPU") || holds(line, "HTP")));
  });
  return found;
}

}  // namespace

std::optional<ProfileFile> detect_profile(std::string_view bytes) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  const std::string_view head = bytes.substr(0, kHeadBytes);
  const std::size_t start = head.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return std::nullopt;
  if (head[start] == '{' || head[start] == '[') {
    if (const auto json = detect_json(bytes.substr(start))) return json;
  }
  if (has_qnn_csv_header(bytes)) return ProfileFormat::kQnnCsv;
  if (holds(head, "python_pprint_graph_summary") || holds(head, "qnn_name_translations")) {
    return NameFile::kSchematic;
  }
  if (head.find('\0') != std::string_view::npos) {
    // Every log names the program that wrote it; other binary files are no profile.
    const bool is_log = holds(bytes, "time") || holds(bytes, "\"traceEvents\"");
    if (is_log) return ProfileFormat::kQnnLog;
    return std::nullopt;
  }
  if (const auto text = detect_lines(bytes)) return text;
  if (has_device_line(bytes)) return ProfileFormat::kNodeLines;
  return std::nullopt;
}

ProfileTable read_profile(std::string_view bytes, ProfileFormat format, const std::string& origin) {
  switch (format) {
    case ProfileFormat::kNodeLines:
      return read_node_lines(bytes, origin);
    case ProfileFormat::kViewerText:
      return read_viewer_text(bytes, origin);
    case ProfileFormat::kQnnCsv:
      return read_csv_table(bytes, origin);
    case ProfileFormat::kQnnLog:
      return read_qnn_log(bytes, origin);
    case ProfileFormat::kOrtTrace:
      return read_ort_trace(bytes, origin);
    case ProfileFormat::kChromeTrace:
      return read_chrome_trace(bytes, origin);
    case ProfileFormat::kQhas:
      break;
  }
  return read_qhas(bytes, origin);
}

}  // namespace hexquant::profiling
