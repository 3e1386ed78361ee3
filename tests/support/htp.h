#pragma once

#include <cstdlib>
#include <optional>
#include <stdexcept>

#include "runtime/htp/htp_installation.h"

namespace hexquant::test {

/// The vendor's simulator if it is installed. Where HEXQUANT_REQUIRE_HTP is set, its absence is an
/// error: a run that is meant to test it must not pass by skipping.
inline std::optional<runtime::HtpInstallation> find_htp() {
  auto found = runtime::find_htp_installation();
  const char* required = std::getenv("HEXQUANT_REQUIRE_HTP");
  if (!found && required != nullptr && *required != '\0') {
    throw std::runtime_error("HEXQUANT_REQUIRE_HTP is set and onnxruntime-qnn is not installed");
  }
  return found;
}

}  // namespace hexquant::test

/// First line of a test that needs the vendor's simulator.
#define HEXQUANT_NEEDS_HTP()                                                                     \
  if (!::hexquant::test::find_htp())                                                             \
  GTEST_SKIP() << "needs the Python package onnxruntime-qnn ('hexquant setup htp' installs it; " \
                  "HEXQUANT_QNN_ROOT names another place)"
