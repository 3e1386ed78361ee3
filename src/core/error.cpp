#include "hexquant/error.h"

#include <string>

#include "hexquant/finding.h"

namespace hexquant {

const char* error_code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kInvalidModel:
      return "invalid_model";
    case ErrorCode::kInvalidData:
      return "invalid_data";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kMissingComponent:
      return "missing_component";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

const char* severity_name(Severity severity) noexcept {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "error";
}

namespace {

/// Names from damaged files may hold line breaks; messages must not.
std::string on_one_line(std::string message) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return message;
}

}  // namespace

Error::Error(ErrorCode code, const std::string& message)
    : std::runtime_error(on_one_line(message)), code_(code) {}

namespace detail {

void check_failed(const char* expression, const char* file, int line, const std::string& message) {
  throw Error(ErrorCode::kInternal, std::string("internal error at ") + file + ":" +
                                        std::to_string(line) + ": " + message + " (" + expression +
                                        ")");
}

}  // namespace detail
}  // namespace hexquant
