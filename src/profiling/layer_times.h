#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "profiling/optrace.h"

namespace hexquant::profiling {

using UnitCycles = std::array<double, kHwUnitCount>;  ///< by HwUnit

/// What the hardware operations of one layer use.
struct LayerTimes {
  /// Cycles of the whole run that this layer accounts for, by the unit that worked then: the
  /// columns and rows of all layers and the idle time add up to the whole (see layer_times).
  UnitCycles attributed{};
  /// Cycles in which at least one of its operations ran on the unit; work in parallel on several
  /// HVX threads counts once. Layers overlap, so these do not add up.
  std::array<std::int64_t, kHwUnitCount> busy{};
  std::int64_t hvx_thread_cycles = 0;  ///< sum over the HVX threads
  std::int64_t start = 0;              ///< first cycle of its first operation
  std::int64_t end = 0;                ///< end of its last one
  std::int64_t dram_read_bytes = 0;
  std::int64_t dram_write_bytes = 0;
  std::int64_t dma_read_bytes = 0;  ///< the part of dram_read_bytes that DMA moved
  std::int64_t dma_write_bytes = 0;
  std::int64_t vtcm_peak_bytes = 0;  ///< largest use of VTCM, by all layers, while it computes
  std::int64_t hardware_ops = 0;     ///< operations on HMX, HVX and DMA
  std::int64_t tiles = 0;            ///< most operations on HMX or HVX that do the same

  [[nodiscard]] double attributed_cycles() const noexcept;
};

/// Where the cycles of a whole run go.
struct RunTimes {
  std::vector<LayerTimes> layers;
  /// Cycles by the best unit at work: HMX; else HVX; else DMA alone; else the scalar thread alone.
  UnitCycles exclusive{};
  std::array<std::int64_t, kHwUnitCount> busy{};  ///< cycles in which the unit worked at all
  std::int64_t idle = 0;    ///< no unit works: `cycles` less all of `exclusive`
  std::int64_t cycles = 0;  ///< the whole
  std::int64_t vtcm_peak_bytes = 0;
};

/// Spreads the run over layers.
///
/// At each instant the time goes to the layers at work on HMX or HVX; if there are none, to those
/// at work on DMA; if there are none, to those the scalar thread works for (it starts and awaits
/// operations); if there are none, it is idle. Several layers share an instant equally. So weights
/// fetched behind another layer's computation cost nothing, and DMA time that nothing hides is
/// charged to the layer that waits for it.
///
/// DRAM bytes: each hardware operation counts once, on its DMA lane if it has one; the trace
/// repeats the bytes at the scalar start and at the vector operation that the DMA serves.
///
/// @param layer_of_event  layer of each event of the trace, in 0 .. layer_count - 1
/// @param cycles          length of the run; at least the end of the last event is taken
[[nodiscard]] RunTimes layer_times(const Optrace& trace, const std::vector<int>& layer_of_event,
                                   int layer_count, std::int64_t cycles);

}  // namespace hexquant::profiling
