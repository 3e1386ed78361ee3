#pragma once

#include <stdexcept>
#include <string>

namespace hexquant {

/// What went wrong, and so what a caller can do about it.
enum class ErrorCode {
  kInvalidArgument,   ///< an option or parameter is outside its documented range
  kInvalidModel,      ///< the model file or graph breaks the ONNX rules or holds unusable numbers
  kInvalidData,       ///< calibration or evaluation data, labels, preprocessing files
  kIo,                ///< a file cannot be opened, read, written or renamed
  kUnsupported,       ///< valid input that this library does not handle
  kMissingComponent,  ///< an optional component (a plug-in, a wheel, a library) is absent
  kCancelled,         ///< the user asked to stop
  kInternal           ///< a bug in this library
};

/// Name of the code as it stands in machine-readable results ("invalid_model", ...).
[[nodiscard]] const char* error_code_name(ErrorCode code) noexcept;

/// The one exception type of the library.
///
/// `what()` is a single line that names the file, node or tensor, the bad value and what was
/// expected. Foreign exceptions are caught where their library lives and rethrown as this type.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message);
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

namespace detail {
[[noreturn]] void check_failed(const char* expression, const char* file, int line,
                               const std::string& message);
}  // namespace detail

}  // namespace hexquant

/// Guards an invariant of the library itself: throws Error(kInternal), never aborts.
#define HEXQUANT_CHECK(condition, message)                                                         \
  do {                                                                                             \
    if (!(condition)) ::hexquant::detail::check_failed(#condition, __FILE__, __LINE__, (message)); \
  } while (false)
