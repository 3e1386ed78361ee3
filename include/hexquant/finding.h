#pragma once

#include <string>
#include <vector>

namespace hexquant {

enum class Severity { kInfo, kWarning, kError };

/// "info", "warning" or "error".
[[nodiscard]] const char* severity_name(Severity severity) noexcept;

/// A fact about a model, a plan or a data set that the user should know. Work goes on after it.
struct Finding {
  std::string id;                          ///< stable kebab-case identifier, e.g. "stays-float"
  Severity severity = Severity::kWarning;  ///< kError: the result is not usable as it is
  std::string where;                       ///< node, tensor or file
  std::string reason;                      ///< one sentence: what was seen
  std::string fix;                         ///< one sentence: what to do; may be empty
};

using Findings = std::vector<Finding>;

}  // namespace hexquant
