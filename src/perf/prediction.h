#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hexquant/finding.h"
#include "perf/workload.h"
#include "target/soc.h"

namespace hexquant::perf {

/// A predicted figure with the bounds of its error: 90 % of the known cases lie within.
struct Estimate {
  double value = 0.0;
  double lower = 0.0;
  double upper = 0.0;
};

enum class Bound {
  kCompute,    ///< the matrix unit
  kVector,     ///< the vector units
  kBandwidth,  ///< DDR
  kOverhead,   ///< the floor that every operation costs
  kCpu,        ///< runs on the CPU: transfers
  kNone        ///< hidden behind others, or free
};
/// "compute", "vector", "bandwidth", "overhead", "cpu", "none".
[[nodiscard]] const char* bound_name(Bound bound) noexcept;

/// What one operation costs.
struct OperationCost {
  Estimate time_us;            ///< its part of the whole: adds up to Prediction::time_us
  double matrix_cycles = 0.0;  ///< work of each unit, whether hidden or not
  double vector_cycles = 0.0;
  double dma_cycles = 0.0;
  std::int64_t ddr_read_bytes = 0;   ///< weights, graph inputs, refills
  std::int64_t ddr_write_bytes = 0;  ///< graph outputs, spills
  std::int64_t vtcm_bytes = 0;       ///< in use, by all, while it runs
  /// Rows, columns and output channels computed at a time, so that a tile fits VTCM.
  std::array<std::int64_t, 3> tile = {1, 1, 1};
  Bound bound = Bound::kNone;
  double utilization = 0.0;  ///< of the unit that bounds it, 0..1
  double start_us = 0.0;     ///< on the predicted time-line
  double end_us = 0.0;
};

/// Use of VTCM from `start_us` on.
struct VtcmUse {
  double start_us = 0.0;
  std::int64_t bytes = 0;
};

struct VtcmSummary {
  std::int64_t size_bytes = 0;
  std::int64_t peak_bytes = 0;
  double mean_utilization = 0.0;  ///< over time, 0..1
  std::int64_t spill_bytes = 0;   ///< activations written to DDR for want of room
  std::int64_t fill_bytes = 0;    ///< the same, read back
  std::vector<VtcmUse> over_time;
};

/// Settings of a prediction.
struct PredictOptions {
  std::int64_t vtcm_mb = 0;  ///< 0 = the chip's largest
  bool dlbc = false;         ///< lossless compression of weights and activations in DDR
  /// Float inputs and outputs are quantized and dequantized on the NPU; else on the CPU, the
  /// provider's default, and the NPU sees their codes.
  bool io_on_device = false;
};

/// What the latency model says of a workload on a chip. An estimate, never a measurement.
struct Prediction {
  Estimate time_us;               ///< on the accelerator, boundary conversions included
  double boundary_us = 0.0;       ///< part of it: layout and type changes of inputs and outputs
  double call_overhead_us = 0.0;  ///< a call from the host; not part of time_us
  double clock_mhz = 0.0;
  double peak_ops_per_us = 0.0;   ///< of the matrix unit, 8 bits, two for each MAC: the roof
  double ddr_bytes_per_us = 0.0;  ///< effective bandwidth: the slope of the roofline
  std::int64_t macs = 0;
  std::int64_t ddr_bytes = 0;             ///< read and written
  std::vector<OperationCost> operations;  ///< as Workload::operations
  VtcmSummary vtcm;
  Findings findings;  ///< missing figures of the chip, operations without a fitted cost ...
};

/// Predicts time, memory traffic and VTCM use. Works for any chip of socs.json: constants are those
/// of the nearest fitted architecture, scaled by the chip's clock and bandwidth; what was assumed
/// is a finding. Milliseconds of work for a network.
[[nodiscard]] Prediction predict(const Workload& workload, const target::Soc& soc,
                                 const PredictOptions& options);

/// How far predictions have been from the vendor's estimates, for the architecture used.
struct ModelError {
  std::string htp_arch;       ///< fitted architecture
  int micro_cases = 0;        ///< kept out of the fit
  double median_error = 0.0;  ///< |predicted / vendor - 1|
  double percentile90_error = 0.0;
  int networks = 0;
  double worst_network_error = 0.0;
  std::string vendor_version;
};
[[nodiscard]] ModelError model_error(const target::Soc& soc);

}  // namespace hexquant::perf
