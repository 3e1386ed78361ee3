#pragma once

#include <string>
#include <vector>

#include "hexquant/tensor.h"

namespace hexquant::pipeline {

/// One weight tensor in the article's table (section 4): symmetric, one scale = max |w| / 127.
struct WeightNoise {
  std::string layer;
  std::string op;
  std::string weight;
  Shape shape;
  double mse = 0.0;
  double snr_db = 0.0;          ///< 10 log10(sum w^2 / sum (w - w_q)^2); +inf when exact
  double channel_snr_db = 0.0;  ///< the same with one scale for each output channel
};

/// SNR of all weights of the prepared model; needs no data.
/// @throws Error(kInvalidModel) when no layer has weights
[[nodiscard]] std::vector<WeightNoise> measure_weight_noise(const std::string& model, int bits,
                                                            const std::string& soc);

}  // namespace hexquant::pipeline
