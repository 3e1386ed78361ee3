#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hexquant::pipeline {

/// What a command line of qnn-net-run says about model and machine.
struct NetRunSources {
  std::string model;             ///< MODEL or --model: ONNX, OUT folder, or a QNN model library
  std::string retrieve_context;  ///< --retrieve_context: context binary
  std::string dlc;               ///< --dlc_path
  std::string backend;           ///< --backend: a QNN library's path
  std::string device;            ///< --device cpu | htp: wins over backend; empty = by backend
  std::string soc = "SM8650";
  int vtcm_mb = 0;
};

/// Something on the command line that means another thing on this machine.
struct Mapping {
  std::string option;  ///< "--backend"
  std::string given;
  std::string used;
  std::string reason;
};

/// Model and machine that really run.
struct NetRunPlace {
  std::filesystem::path model;  ///< ONNX file
  bool on_htp = false;
  std::vector<Mapping> mappings;
};

/// Finds for each path of the command line what is there instead of it.
///
/// A QNN model library (.so) runs on a device only: its ONNX model is looked for beside it
/// (X.onnx for libX_qnn.so, libX.so, X.so), in the working directory, and as ./model.onnx. A
/// context binary runs through the EPContext model beside it. libQnnHtp.so is the simulator where
/// that is installed and the CPU elsewhere, libQnnCpu.so the CPU.
/// @param has_simulator  the vendor's package is installed
/// @throws Error(kInvalidArgument) naming the option, what was looked for, and what can be given
[[nodiscard]] NetRunPlace find_net_run_place(const NetRunSources& sources, bool has_simulator);

}  // namespace hexquant::pipeline
