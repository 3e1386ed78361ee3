#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/calibrator.h"
#include "calibrate/layer_columns.h"
#include "calibrate/sample_order.h"
#include "quant/statistics.h"
#include "runtime/tap_session.h"

namespace hexquant::calibrate {

/// Working memory of one thread for GramAccumulator::add.
struct GramScratch {
  std::vector<std::int64_t> positions;
  std::vector<float> columns;
  std::vector<float> group;
  std::vector<double> sum;
};

/// `wanted` positions out of `count`, one drawn from each of `wanted` equal slices (all of them
/// when there are fewer), ascending. Depends on the arguments only.
void draw_positions(std::int64_t count, std::int64_t wanted, std::uint64_t seed,
                    std::vector<std::int64_t>& positions);

/// Gram matrix of one layer's input columns, added in sample order.
///
/// Inside, columns are ordered (kernel tap, channel), as they are gathered; `finish` brings them
/// into the order of the weights.
class GramAccumulator {
 public:
  /// @throws Error(kInvalidArgument) on an unknown node or columns_per_sample < 1;
  ///         Error(kUnsupported) as LayerColumns
  GramAccumulator(const graph::Graph& graph, const GramRequest& request, std::uint64_t seed);

  [[nodiscard]] const std::string& input() const noexcept { return layer_.input(); }
  /// Thread-safe.
  void add(const runtime::TapView& view, std::int64_t sample, GramScratch& scratch);
  void fail(std::int64_t sample) { order_.fail(sample); }
  /// Moves the result out.
  [[nodiscard]] quant::LayerGram finish();

 private:
  [[nodiscard]] bool depthwise() const noexcept {
    return gram_.groups > 1 && gram_.groups == layer_.channels();
  }
  void add_grouped(const std::vector<float>& columns, std::vector<float>& group);

  LayerColumns layer_;
  std::int64_t columns_per_sample_;
  std::uint64_t seed_;
  SampleOrder order_;
  quant::LayerGram gram_;  // depthwise: in the layout of DepthwiseGram until finish
};

}  // namespace hexquant::calibrate
