#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace hexquant::pipeline {

/// How many items of `scored` hold exactly the values of some item of `calibrated`.
[[nodiscard]] std::int64_t count_overlap(const data::Dataset& calibrated,
                                         const data::Dataset& scored);

}  // namespace hexquant::pipeline
