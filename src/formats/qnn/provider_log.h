#pragma once

#include <string>
#include <vector>

namespace hexquant::formats {

/// Nodes that the QNN execution provider takes or refuses as one.
struct LoggedUnit {
  bool passed = false;
  std::string kind;     ///< "OrtNodeUnit" (one operation with its Q/DQ), "DQQFusion", ...
  std::string op_type;  ///< of the operation in the middle
  std::vector<std::string> nodes;
  std::string reason;  ///< of a refusal; may be empty
};

/// What a verbose log (HtpOptions::log_level 0) says about a model, in the order of the lines.
struct ProviderLog {
  std::vector<LoggedUnit> units;  ///< each round of the provider's search lists all of them again
  std::vector<std::string> validation_errors;  ///< "QNN.backendValidateOpConfig() failed for ..."
};

/// Reads the lines that "LogNodeSupport" prints; all others, and any garbage, are passed over: a
/// log is text for people and never an error. Colours are stripped.
[[nodiscard]] ProviderLog parse_provider_log(const std::string& text);

}  // namespace hexquant::formats
