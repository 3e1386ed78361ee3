#pragma once

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
};

struct VtcmPlan {
  VtcmSummary summary;
  std::vector<VtcmOperation> operations;  ///< as Workload::operations
};

/// Live ranges of all values over the order of operations, and what does not fit.
[[nodiscard]] VtcmPlan plan_vtcm(const Workload& workload, const Layout& layout,
                                 const std::vector<OperationWork>& work, const Timeline& timeline,
                                 std::int64_t vtcm_bytes);

}  // namespace hexquant::perf
