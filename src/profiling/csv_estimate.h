#pragma once

#include <cstdint>
#include <vector>

#include "profiling/qnn_csv.h"

namespace hexquant::profiling {

/// A simulated figure and the band that the vendor's simulator gives with it.
struct SimulatedFigure {
  std::int64_t value = 0;
  std::int64_t lower = 0;
  std::int64_t upper = 0;
};

/// Bytes that a graph moves between DDR and the HTP ("Bandwidth Stats"), by kind.
struct DdrBytes {
  std::int64_t input_fill = 0;          ///< weights and graph inputs, read
  std::int64_t intermediate_fill = 0;   ///< spilled activations, read back
  std::int64_t intermediate_spill = 0;  ///< activations that found no room in VTCM, written
  std::int64_t output_spill = 0;        ///< graph outputs, written
  std::int64_t inter_htp_fill = 0;      ///< exchange between several HTPs, read
  std::int64_t inter_htp_spill = 0;     ///< exchange between several HTPs, written

  [[nodiscard]] std::int64_t read() const noexcept {
    return input_fill + intermediate_fill + inter_htp_fill;
  }
  [[nodiscard]] std::int64_t written() const noexcept {
    return intermediate_spill + output_spill + inter_htp_spill;
  }
};

/// The vendor's performance estimate of one compiled graph.
struct CsvEstimate {
  SimulatedFigure cycles;
  SimulatedFigure time_us;  ///< whole microseconds, cut off
  DdrBytes ddr_bytes;
  /// Operations without a cost in the simulator: its figures leave them out.
  std::int64_t missing_ops = 0;
};

/// The estimates of a profile, one for each graph in the order of compilation; empty when the
/// chip has none.
///
/// The provider writes every estimate so far again after each further graph. Repeats are dropped:
/// they are the blocks whose rows, wall-clock times of the compilation included, are equal.
[[nodiscard]] std::vector<CsvEstimate> csv_estimates(const QnnCsv& csv);

}  // namespace hexquant::profiling
