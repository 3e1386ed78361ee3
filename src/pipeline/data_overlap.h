#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace hexquant::pipeline {

/// A number made of every value of a sample: equal samples have equal ones.
[[nodiscard]] std::uint64_t sample_digest(const data::Sample& sample);

/// How many items of `scored` hold exactly the values of some item of `calibrated`.
[[nodiscard]] std::int64_t count_overlap(const data::Dataset& calibrated,
                                         const data::Dataset& scored);

}  // namespace hexquant::pipeline
