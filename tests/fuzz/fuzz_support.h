#pragma once

#include <string_view>

#include "hexquant/error.h"

namespace hexquant::fuzz {

/// Whether `action` ends without an Error. Refusing an input in one line is right; an internal
/// error, a message of several lines or any other exception is a finding.
template <typename Action>
bool accepts(Action action) {
  try {
    action();
    return true;
  } catch (const Error& error) {
    const std::string_view message = error.what();
    if (error.code() == ErrorCode::kInternal || message.find('\n') != std::string_view::npos) {
      __builtin_trap();
    }
    return false;
  }
}

}  // namespace hexquant::fuzz
