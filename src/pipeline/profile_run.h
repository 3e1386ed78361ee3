#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "hexquant/finding.h"
#include "profiling/compare_profiles.h"
#include "profiling/profile_table.h"

namespace hexquant::pipeline {

/// What `hexquant profile` does, as data.
struct ProfileRequest {
  std::vector<std::string> files;
  std::optional<profiling::ProfileFormat> format;  ///< of all files; nullopt = by their content
  std::string model;  ///< ONNX model whose nodes the operations are mapped to; may be empty
  std::string soc = "SM8650";  ///< chip whose rules explain nodes on the CPU, with a model
  bool compare = false;        ///< the two profiles are before and after
};

/// A node that ran on the CPU, or that the provider left to it.
struct FallbackNode {
  std::string name = {};
  std::string op = {};
  std::string text = {};               ///< the profile's line, for formats of lines
  std::optional<double> time_us = {};  ///< of one inference, where a profile has it
  bool is_conversion = false;          ///< QuantizeLinear or DequantizeLinear
  std::string reason = {};             ///< the provider's or the rules'; empty when nothing tells
  std::string fix = {};
};

struct Fallback {
  /// Some file tells where operations ran; otherwise nothing is known.
  bool is_known = false;
  /// A trace of ONNX Runtime without any accelerator: the whole model ran on the CPU.
  bool no_accelerator = false;
  std::vector<FallbackNode> nodes;
  std::optional<double> cpu_time_us;  ///< of one inference
  std::optional<double> cpu_share;    ///< of the time of all operations, 0 .. 1

  /// Nodes that are no conversions.
  [[nodiscard]] std::size_t operations() const noexcept;
};

struct ProfileResult {
  std::vector<profiling::ProfileTable> profiles;  ///< rows by falling amount
  std::vector<std::string> name_files;            ///< files that only named operations
  std::string model;
  Fallback fallback;
  std::optional<profiling::ProfileComparison> comparison;
  Findings findings;  ///< that belong to no profile
};

/// Reads profiles of any format.
///
/// Files of one format are repetitions of one measurement and become one table (with `compare` they
/// stay apart); schematics and framework traces name the operations of the others, and so does a
/// CSV for a binary log.
/// @throws Error(kIo); Error(kInvalidData) naming a file that is no profile, or when `compare` does
///         not get exactly two profiles in one unit; what read_onnx throws
[[nodiscard]] ProfileResult profile_run(const ProfileRequest& request);

/// `files`, `model`, `profiles`, `fallback`, `comparison`, `findings` of
/// docs/schema/profile.schema.json.
[[nodiscard]] Json to_json(const ProfileResult& result);

/// All rows of all profiles as RFC 4180 text with a header.
[[nodiscard]] std::string profile_csv(const ProfileResult& result);

}  // namespace hexquant::pipeline
