#include "perf/vtcm_plan.h"

#include <algorithm>

namespace hexquant::perf {

VtcmPlan plan_vtcm(const Workload& workload, const Layout& layout,
                   const std::vector<OperationWork>& work, const Timeline& timeline,
                   std::int64_t vtcm_bytes) {
  VtcmPlan plan;
  plan.summary.size_bytes = vtcm_bytes;
  plan.operations.resize(workload.operations.size());
  (void)layout;
  (void)work;
  (void)timeline;
  return plan;
}

}  // namespace hexquant::perf
