#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace hexquant::runtime {

/// The vendor's HTP provider for x86-64, installed by the user as the Python wheel onnxruntime-qnn.
struct HtpInstallation {
  std::filesystem::path folder;            ///< folder of the package: libraries and licence
  std::filesystem::path provider_library;  ///< what ONNX Runtime loads, in the worker only
  std::filesystem::path licence;           ///< the vendor's licence text
  std::string version;                     ///< "2.7.0"; empty when the folder does not say
};

/// Folder of the private Python environment that `hexquant setup htp` makes:
/// $XDG_DATA_HOME/hexquant/qnn, else ~/.local/share/hexquant/qnn.
[[nodiscard]] std::filesystem::path private_htp_environment();

/// The installation in a folder: the package's own, a site-packages folder or a Python environment.
[[nodiscard]] std::optional<HtpInstallation> find_htp_installation_in(
    const std::filesystem::path& root);

/// The installation to use: the one in the folder that HEXQUANT_QNN_ROOT names, else the private
/// environment's.
/// @return nullopt when neither is there
/// @throws Error(kMissingComponent) when HEXQUANT_QNN_ROOT is set and holds no provider
[[nodiscard]] std::optional<HtpInstallation> find_htp_installation();

/// The installation. @throws Error(kMissingComponent) that says how to get one.
[[nodiscard]] HtpInstallation require_htp_installation();

}  // namespace hexquant::runtime
