#pragma once

#include <cstddef>
#include <vector>

namespace hexquant::weights {

/// Noise that quantization adds around one scale group, as a function of the channels' scales
/// s_c = exp(u_c). Each source is (step^2 / 12) times what it hits; a step is the range of what
/// shares it, divided by the number of levels.
///
///   producers    sum_c energy_c s_c^2 step^2,  step = max_c(range_c / s_c) / levels
///   activations  sum_c gain_c s_c^2 step^2,    step = (max_c(high_c / s_c) + max_c(low_c / s_c))
///                                                     / levels
///   consumers    sum_rows importance step^2 sum_c energy_c / s_c^2,
///                                              step = max_c(range_c s_c) / levels
///
/// A term is log-convex in u (a maximum or sum of exponentials of linear functions), and so is the
/// sum: there is one minimum. Constant factors (1/12, positions) are left out.
struct ScaleProblem {
  struct Producer {
    bool per_channel = false;    ///< one step for each channel: its noise does not depend on s
    double levels = 127.0;       ///< codes on one side of zero
    std::vector<double> range;   ///< largest |weight| of each channel
    std::vector<double> energy;  ///< sum of E[x^2] over the channel's inputs, times its gain
  };
  struct Activation {
    double levels = 255.0;
    std::vector<double> low;   ///< -min(observed, 0)
    std::vector<double> high;  ///< max(observed, 0)
    std::vector<double> gain;  ///< how much noise of the channel matters (see channel_gains.h)
  };
  /// Weights that share a step: those of `range.size()` channels from `first` on.
  struct Row {
    std::size_t first = 0;
    std::vector<double> range;
    double importance = 1.0;
  };
  struct Consumer {
    double levels = 127.0;
    std::vector<double> energy;  ///< by channel: number of weights times E[x^2]
    std::vector<Row> rows;
  };

  std::vector<double> low;  ///< limits of u_c; low == high: the channel is left alone
  std::vector<double> high;
  std::vector<Producer> producers;
  std::vector<Activation> activations;
  std::vector<Consumer> consumers;

  [[nodiscard]] std::size_t channels() const noexcept { return low.size(); }
};

/// The noise at `log_scale`.
[[nodiscard]] double total_noise(const ScaleProblem& problem, const std::vector<double>& log_scale);

struct ScaleSolution {
  std::vector<double> log_scale;  ///< u_c
  double noise_before = 0.0;      ///< at u = 0
  double noise = 0.0;             ///< at log_scale; <= noise_before
};

/// Minimises the noise within the limits: gradient steps on its logarithm with a soft maximum that
/// hardens, from u = 0 and from the ranges' balance sqrt(r1 r2) / r2 of data-free quantization
/// (Nagel et al., arXiv:1906.04721, eq. 11), on up to two threads. The same for any number of them.
[[nodiscard]] ScaleSolution search_scales(const ScaleProblem& problem, int threads = 1);

}  // namespace hexquant::weights
