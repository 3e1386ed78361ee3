#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "perf/operation_work.h"
#include "perf/prediction.h"
#include "perf/schedule.h"

namespace hexquant::perf {

/// VTCM at one operation.
struct VtcmOperation {
  std::int64_t in_use_bytes = 0;  ///< while it runs, by everything that is alive
  std::int64_t spill_bytes = 0;   ///< of values that leave VTCM because of it
  std::int64_t fill_bytes = 0;    ///< of values that it has to read back
  /// Rows, columns and output channels that it computes at a time, so that operands, result and
  /// weights of a tile fit.
  std::array<std::int64_t, 3> tile = {1, 1, 1};
};

struct VtcmPlan {
  VtcmSummary summary;
  std::vector<VtcmOperation> operations;  ///< as Workload::operations
};

struct VtcmOptions {
  std::int64_t vtcm_bytes = 0;
  double prefetch_bytes = 0.0;          ///< room for weights that are fetched ahead
  double activation_compression = 1.0;  ///< bytes of spilled values in DDR for each byte
};

/// Live ranges of all values over the order of operations, and what does not fit.
///
/// A value whose only reader comes next is passed on strip by strip: only a few strips of it exist
/// at a time. Every other value lies in VTCM as a whole from its producer to its last reader. Where
/// the sum does not fit, the value that is needed last goes to DDR and is read back strip by strip
/// when it is needed (Belady's choice); after those, the largest operand or result that lives on.
[[nodiscard]] VtcmPlan plan_vtcm(const Workload& workload, const Layout& layout,
                                 const std::vector<OperationWork>& work, const Timeline& timeline,
                                 const VtcmOptions& options);

}  // namespace hexquant::perf
