#pragma once

#include <filesystem>
#include <string>

#include "core/file_io.h"

namespace hexquant::test {

/// A python3 whose venv and pip make empty files; what it was asked stands in `calls`.
///
/// Environment: FAKE_NO_PIP, FAKE_NO_VENV, FAKE_NO_PACKAGE: this part fails; FAKE_EMPTY: a package
/// without libraries; FAKE_REAL_PACKAGE: folder that the installed package is a link to.
class FakePython {
 public:
  explicit FakePython(const std::filesystem::path& folder)
      : programs_(folder / "programs"), calls_(folder / "calls") {
    std::filesystem::create_directories(programs_);
    const std::filesystem::path program = programs_ / "python3";
    write_file(program, R"(#!/bin/sh
echo "$*" >>")" + calls_.string() +
                            R"("
for last; do :; done
case "$*" in
  "-m pip --version") [ -z "$FAKE_NO_PIP" ] ;;
  "-m venv "*)
    if [ -n "$FAKE_NO_VENV" ]; then echo "Error: no module venv"; exit 1; fi
    mkdir -p "$last/lib/python3.11/site-packages"
    echo "home = nowhere" >"$last/pyvenv.cfg" ;;
  "-m pip install "*)
    if [ -n "$FAKE_NO_PACKAGE" ]; then
      echo "Looking in indexes"
      echo "ERROR: No matching distribution found" >&2
      exit 1
    fi
    while [ $# -gt 1 ]; do
      if [ "$1" = --target ]; then target=$2; fi
      shift
    done
    mkdir "$target/onnxruntime_qnn-${last#*==}.dist-info"
    if [ -n "$FAKE_REAL_PACKAGE" ]; then
      ln -s "$FAKE_REAL_PACKAGE" "$target/onnxruntime_qnn"
    else
      mkdir "$target/onnxruntime_qnn"
      echo licence >"$target/onnxruntime_qnn/Qualcomm_LICENSE.pdf"
      if [ -z "$FAKE_EMPTY" ]; then
        echo "no library" >"$target/onnxruntime_qnn/libonnxruntime_providers_qnn.so"
      fi
    fi ;;
  *) exit 64 ;;
esac
)");
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  }

  /// Start of a shell command that sees this Python and no other installation.
  [[nodiscard]] std::string prefix(const std::filesystem::path& data_home,
                                   const std::string& variables = "") const {
    return "env -u HEXQUANT_QNN_ROOT -u HEXQUANT_PYTHON PATH='" + programs_.string() +
           ":/usr/bin:/bin' XDG_DATA_HOME='" + data_home.string() + "' " + variables;
  }
  [[nodiscard]] std::string calls() const {
    return std::filesystem::exists(calls_) ? read_file(calls_) : std::string();
  }

 private:
  std::filesystem::path programs_;
  std::filesystem::path calls_;
};

}  // namespace hexquant::test
