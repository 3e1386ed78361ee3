#pragma once

#include <string>
#include <vector>

#include "perf/workload.h"

// The roofline of the source article, word for word: one peak, one bandwidth, a sum over layers.
// It is wrong by 10 to 40 times for networks with depthwise convolutions (docs/methods/roofline.md)
// and is here to be compared with.
namespace hexquant::perf {

/// A layer in the article's terms.
struct ArticleLayer {
  std::string name;
  double ops = 0.0;         ///< operations: two for each multiply-accumulate
  double data_bytes = 0.0;  ///< weights, inputs and outputs
  int bits = 8;             ///< that the peak belongs to
};

/// The article's figures for SM8650.
struct ArticleMachine {
  double tops_int8 = 36.0;
  double tops_int16 = 18.0;
  double tops_int4 = 72.0;
  double bandwidth_gb_per_s = 50.0;

  /// Operations a second at a width.
  [[nodiscard]] double peak_ops(int bits) const noexcept;
  /// Operations for each byte at which both limits meet.
  [[nodiscard]] double ridge_point(int bits = 8) const noexcept;
};

struct ArticleResult {
  std::string name;
  double ops = 0.0;
  double data_bytes = 0.0;
  double intensity = 0.0;  ///< operations for each byte
  double ridge_point = 0.0;
  bool compute_bound = false;  ///< intensity >= ridge point
  double time_ms = 0.0;        ///< of the longer of the two
  double utilization = 0.0;    ///< the shorter over the longer, at most 1
};

/// time = max(ops / peak, bytes / bandwidth).
/// @throws Error(kInvalidArgument) naming the layer when ops or bytes are not above 0
[[nodiscard]] ArticleResult article_roofline(const ArticleLayer& layer,
                                             const ArticleMachine& machine);

/// The layers of a workload that have multiply-accumulates, in the article's terms.
[[nodiscard]] std::vector<ArticleLayer> article_layers(const Workload& workload);

/// The article's report, as its listing prints it.
[[nodiscard]] std::string article_report(const std::vector<ArticleResult>& results);

}  // namespace hexquant::perf
