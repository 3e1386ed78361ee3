#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace hexquant::weights {

/// What each step of rounding left of a layer's output error. Errors are the part of the output's
/// power that is noise, tr(E H E^T) / tr(W H W^T), over the calibration data.
struct RoundingReport {
  std::string node;
  std::string weight;
  double error_min_max = 0.0;  ///< min-max scales, nearest codes
  double error_clip = 0.0;     ///< after clip search
  double error_gptq = 0.0;     ///< after GPTQ
  double error = 0.0;          ///< after coordinate descent: the result
  /// Behind the Relu or Clip that follows, before and after refine_clamped; NaN = not refined.
  double clamped_before = std::numeric_limits<double>::quiet_NaN();
  double clamped_after = std::numeric_limits<double>::quiet_NaN();
  double bias_shift = 0.0;  ///< rms change of the bias / rms of the output
  int sweeps = 0;
  std::int64_t positions = 0;  ///< output positions behind the moments
  double gather_seconds = 0.0;
  double solve_seconds = 0.0;
};

}  // namespace hexquant::weights
