#pragma once

#include "qat/train.h"

namespace hexquant::qat {

/// See TrainFunction. @throws Error, as there
[[nodiscard]] TrainResult train(const TrainRequest& request);

}  // namespace hexquant::qat
