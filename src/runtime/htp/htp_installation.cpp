#include "runtime/htp/htp_installation.h"

#include <cstdlib>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::runtime {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPackage = "onnxruntime_qnn";
constexpr const char* kProviderLibrary = "libonnxruntime_providers_qnn.so";
constexpr const char* kLicence = "Qualcomm_LICENSE.pdf";

bool is_package(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / kProviderLibrary, ignored);
}

/// Folders where the package may lie under `root`: itself, site-packages, a Python environment.
std::vector<fs::path> candidates(const fs::path& root) {
  std::vector<fs::path> folders = {root, root / kPackage};
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(root / "lib", ignored)) {
    folders.push_back(entry.path() / "site-packages" / kPackage);
  }
  return folders;
}

/// From the name of the package's metadata folder: onnxruntime_qnn-2.7.0.dist-info.
std::string version_of(const fs::path& package) {
  const std::string prefix = std::string(kPackage) + "-";
  constexpr std::string_view kSuffix = ".dist-info";
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(package.parent_path(), ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(kSuffix)) continue;
    return name.substr(prefix.size(), name.size() - prefix.size() - kSuffix.size());
  }
  return {};
}

}  // namespace

fs::path private_htp_environment() {
  const char* data_home = std::getenv("XDG_DATA_HOME");
  if (data_home != nullptr && *data_home != '\0') return fs::path(data_home) / "hexquant" / "qnn";
  const char* home = std::getenv("HOME");
  return fs::path(home == nullptr ? "/" : home) / ".local" / "share" / "hexquant" / "qnn";
}

std::optional<HtpInstallation> find_htp_installation_in(const fs::path& root) {
  for (const fs::path& folder : candidates(root)) {
    if (!is_package(folder)) continue;
    const fs::path package = fs::absolute(folder).lexically_normal();
    return HtpInstallation{package, package / kProviderLibrary, package / kLicence,
                           version_of(package)};
  }
  return std::nullopt;
}

std::optional<HtpInstallation> find_htp_installation() {
  const char* root = std::getenv("HEXQUANT_QNN_ROOT");
  if (root == nullptr || *root == '\0') return find_htp_installation_in(private_htp_environment());
  const std::optional<HtpInstallation> found = find_htp_installation_in(root);
  if (!found) {
    throw Error(ErrorCode::kMissingComponent,
                format("HEXQUANT_QNN_ROOT={}: no {} there or in a Python environment there", root,
                       kProviderLibrary));
  }
  return found;
}

HtpInstallation require_htp_installation() {
  const std::optional<HtpInstallation> found = find_htp_installation();
  if (found) return *found;
  throw Error(ErrorCode::kMissingComponent,
              "the vendor's HTP simulator (Python package onnxruntime-qnn) is not installed: "
              "'hexquant setup htp' installs it, or HEXQUANT_QNN_ROOT names where it is");
}

}  // namespace hexquant::runtime
