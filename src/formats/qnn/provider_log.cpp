#include "formats/qnn/provider_log.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <string_view>

namespace hexquant::formats {
namespace {

/// Text between two marks, or nullopt.
std::optional<std::string> between(const std::string& line, std::string_view before,
                                   std::string_view after) {
  const std::size_t start = line.find(before);
  if (start == std::string::npos) return std::nullopt;
  const std::size_t from = start + before.size();
  const std::size_t end = after.empty() ? line.size() : line.find(after, from);
  if (end == std::string::npos) return std::nullopt;
  return line.substr(from, end - from);
}

/// "... Validation FAILED for 5 nodes in OrtNodeUnit (Conv) :"
std::optional<LoggedUnit> parse_header(const std::string& line) {
  const auto verdict = between(line, "Validation ", " for ");
  const auto kind = between(line, " nodes in ", " (");
  const auto op_type = between(line, " (", ") :");
  if (!verdict || !kind || !op_type) return std::nullopt;
  if (*verdict != "PASSED" && *verdict != "FAILED") return std::nullopt;
  LoggedUnit unit;
  unit.passed = *verdict == "PASSED";
  unit.kind = *kind;
  unit.op_type =
      op_type->substr(op_type->rfind('(') == std::string::npos ? 0 : op_type->rfind('(') + 1);
  return unit;
}

/// Drops terminal colours: ESC [ ... m.
std::string without_colours(const std::string& line) {
  std::string plain;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\x1b') {
      plain += line[i];
      continue;
    }
    i = line.find('m', i);
    if (i == std::string::npos) break;
  }
  return plain;
}

}  // namespace

ProviderLog parse_provider_log(const std::string& text) {
  ProviderLog log;
  std::istringstream stream(text);
  bool inside = false;
  for (std::string raw; std::getline(stream, raw);) {
    const std::string line = without_colours(raw);
    if (auto unit = parse_header(line)) {
      log.units.push_back(std::move(*unit));
      inside = true;
      continue;
    }
    if (line.find("backendValidateOpConfig() failed") != std::string::npos) {
      log.validation_errors.push_back(line.substr(std::min(line.find("QNN."), line.size())));
    }
    if (!inside) continue;
    if (const auto name = between(line, "Node name: ", " Node index:")) {
      log.units.back().nodes.push_back(*name);
    } else if (const auto reason = between(line, "REASON : ", "")) {
      log.units.back().reason = *reason;
    } else {
      inside = false;
    }
  }
  return log;
}

}  // namespace hexquant::formats
