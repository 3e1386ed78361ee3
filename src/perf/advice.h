#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "perf/prediction.h"
#include "perf/workload.h"
#include "target/soc.h"

namespace hexquant::perf {

/// Which command of the program makes a change.
enum class Remedy : std::uint8_t {
  kOptimize,
  kConvertedBorders,  ///< optimize, by the inputs and outputs
  kPlacement,         ///< compile --dry-run: says why each operation runs where it does
  kNarrowWeights,     ///< quantize
  kMixedPrecision,
  kLargerVtcm  ///< compile
};

/// A change that the latency model says pays.
struct Advice {
  std::string id = {};                  ///< "float-borders", "weights-in-4-bits" ...
  std::vector<std::string> nodes = {};  ///< where it applies; empty = the whole model
  std::string reason = {};              ///< what costs time now
  std::string fix = {};                 ///< what to do
  Remedy remedy = Remedy::kOptimize;
  std::string command = {};   ///< pipeline::advise_model fills it in: needs names of files
  double saves_us = 0.0;      ///< predicted: time now less time after
  bool keeps_numbers = true;  ///< false: accuracy must be looked at again
};

/// Asks the latency model about every change that fits the workload; largest saving first. Savings
/// do not add up. Changes that save less than 0.5 % are left out.
///
/// float-borders        float inputs and outputs are converted and re-laid on the way in and out
/// float-operations     operations that run in float among integers
/// cpu-operations       operations that leave the NPU
/// weights-in-4-bits    layers that wait for their weights (1x1, Gemm, MatMul above 32 outputs)
/// activations-in-8-bits  16-bit activations
/// vtcm-larger          the chip has more VTCM than was asked for
/// division             divisions that a multiplication can replace
/// transposes           values that are only re-laid
[[nodiscard]] std::vector<Advice> advise(const Workload& work, const target::Soc& soc,
                                         const PredictOptions& options);

}  // namespace hexquant::perf
