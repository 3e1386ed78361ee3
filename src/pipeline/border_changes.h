#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hexquant/tensor.h"
#include "passes/drop_border_conversions.h"
#include "passes/input_levels.h"
#include "runtime/session.h"

namespace hexquant::pipeline {

/// What became of an input of a model: a value x of the original is fed to the changed model as
/// x * std + mean, in another order of axes, as an integer.
struct InputChange {
  passes::Normalization normalization = {};  ///< that the model now does itself
  std::int64_t channel_axis = 1;             ///< of the original input
  bool channel_last = false;                 ///< [N, C, H, W] became [N, H, W, C]
  bool is_levels = false;                    ///< uint8 levels 0..255
  std::optional<passes::BorderEncoding> codes = std::nullopt;

  [[nodiscard]] bool is_none() const;
};

/// The same for an output, backwards.
struct OutputChange {
  bool channel_last = false;
  std::optional<passes::BorderEncoding> codes = std::nullopt;
};

/// How the outside of an optimized model differs from the original's.
struct BorderChanges {
  std::map<std::string, InputChange> inputs;
  std::map<std::string, OutputChange> outputs;

  /// Feeds of the original as feeds of the changed model.
  /// @throws Error(kInvalidData) naming the input when a value that is to be a level is further
  ///         than kLevelTolerance from an integer of 0..255: the model is fed something else
  [[nodiscard]] runtime::Feeds feeds(const runtime::Feeds& original) const;
  /// An output of the changed model in the form of the original's.
  [[nodiscard]] Tensor restored(const std::string& output, const Tensor& value) const;
};

/// (x - mean) / std and back in float32 loses up to 2^-15 of a level; resized images lie on levels.
inline constexpr double kLevelTolerance = 0.02;

}  // namespace hexquant::pipeline
