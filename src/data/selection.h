#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace hexquant::data {

/// Indices of the samples that `options` choose out of `count`, ascending.
///
/// The first `skip` are left out; of the remaining n, at most k = `samples` (0 = all) are taken:
/// first: the first k; even: floor(i n / k); random: k of n without repetition, the same on every
/// platform for a given seed (Floyd's algorithm on mt19937_64).
/// @throws Error(kInvalidArgument) on negative numbers; Error(kInvalidData) when nothing is left
[[nodiscard]] std::vector<std::int64_t> select_samples(std::int64_t count,
                                                       const DataOptions& options);

}  // namespace hexquant::data
