#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "hexquant/progress.h"
#include "runtime/htp/htp_installation.h"

// Gets the vendor's HTP simulator: the Python package onnxruntime-qnn, of which only the libraries
// are used, in a private Python environment. Nothing of it is copied anywhere else.
namespace hexquant::pipeline {

inline constexpr const char* kHtpPackage = "onnxruntime-qnn";
inline constexpr const char* kHtpTestedVersion = "2.7.0";
inline constexpr const char* kHtpLicence = "Qualcomm AI Stack License";

struct HtpSetupPlan {
  std::string version;                              ///< wanted
  std::filesystem::path environment;                ///< private_htp_environment()
  bool from_variable = false;                       ///< HEXQUANT_QNN_ROOT says where it is
  std::optional<runtime::HtpInstallation> present;  ///< what is there now
  /// Not there, or of another version. Never where HEXQUANT_QNN_ROOT says where it is.
  bool installs = false;
  /// Licence text; in a pattern (lib/python*) where it is still to come.
  std::filesystem::path licence;
};

/// What setup would do. @throws Error(kInvalidArgument) when `version` is none;
/// Error(kMissingComponent) when HEXQUANT_QNN_ROOT is set and holds no package
[[nodiscard]] HtpSetupPlan plan_htp_setup(const std::string& version);

/// The package is made for x86-64 Linux only.
/// @param system,machine  as `uname -s` and `uname -m` print them
/// @throws Error(kMissingComponent) for any other machine
void require_htp_machine(const std::string& system, const std::string& machine);

/// Makes the environment beside its place and renames it when it is whole; what was there is
/// replaced. Runs the Python that HEXQUANT_PYTHON names, else python3, and its pip.
/// @param log  gets what they printed
/// @throws Error(kMissingComponent) another kind of machine, no Python, no venv or pip, or pip
/// finds
///         no such package; Error(kIo); Error(kCancelled)
[[nodiscard]] runtime::HtpInstallation install_htp(const HtpSetupPlan& plan, std::string& log,
                                                   ProgressSink& progress);

/// Removes the private environment. @return false when there was none
bool remove_htp(const std::filesystem::path& environment);

/// Whether the worker process could compile and run a tiny model with it.
struct HtpCheck {
  bool works = false;
  std::string reason;    ///< why not, in one line; empty when it works
  double seconds = 0.0;  ///< start of the process, compilation and one inference
};

/// @throws Error(kMissingComponent) when the worker program is not there; Error(kCancelled)
[[nodiscard]] HtpCheck check_htp(const runtime::HtpInstallation& installation,
                                 ProgressSink& progress);

}  // namespace hexquant::pipeline
