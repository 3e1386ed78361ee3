#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace hexquant::weights {

/// Which factors of a scale are tried: all of `coarse`; then further ones `extend` apart beyond the
/// smallest and the largest of them, as long as these are the best; then for each of `refine` the
/// best so far plus and minus it.
struct FactorPlan {
  std::vector<float> coarse;
  float extend = 0.0F;  ///< 0: no further ones
  std::vector<float> refine;
};

/// Tries factors for several scales at a time, each with a best one of its own.
///
/// @param bases  the factors that those of the plan multiply; each scale gets its best one
/// @param trial  given one factor for each scale, writes the error of each
/// @param keep   called after a trial with 1 where it was the best so far and 0 elsewhere; the
///               first trial is the best wherever its error is finite
void search_factors(const FactorPlan& plan, std::span<float> bases,
                    const std::function<void(std::span<const float>, std::span<double>)>& trial,
                    const std::function<void(std::span<const std::uint8_t>)>& keep);

}  // namespace hexquant::weights
