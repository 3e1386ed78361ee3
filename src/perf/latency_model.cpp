#include <algorithm>
#include <cmath>
#include <utility>

#include "core/format.h"
#include "perf/latency_data.h"
#include "perf/operation_work.h"
#include "perf/schedule.h"
#include "perf/vtcm_plan.h"

namespace hexquant::perf {
namespace {

constexpr double kBytesPerMb = 1024.0 * 1024.0;
/// Host and FastRPC for one inference; the vendor's documentation shows 300 to 450 us
/// (docs/methods/latency-model.md). No part of the estimate of the accelerator.
constexpr double kCallOverheadUs = 400.0;
/// Of the theoretical DDR bandwidth where the effective one is not known: SA8255's simulated
/// DDR moves 46 of 51.1 GB/s, phones that were measured reach less.
constexpr double kEffectiveShare = 0.74;
/// Weights that DLBC leaves, as a share of their bytes: its gain depends on the data.
constexpr double kCompressedShare = 0.9;
constexpr double kMacsOfProduct = 64.0 * 32.0 * 32.0;

/// Figures of a chip, with what had to be assumed.
struct Machine {
  LatencyConstants constants;
  double clock_mhz = 0.0;
  double dma_bytes_per_cycle = 0.0;
  std::int64_t vtcm_bytes = 0;
};

void assume(Findings& findings, const target::Soc& soc, const char* id, std::string reason,
            std::string fix = {}) {
  findings.push_back({id, Severity::kInfo, soc.name, std::move(reason), std::move(fix)});
}

double clock_of(const target::Soc& soc, const FittedMachine& fitted, Findings& findings) {
  if (soc.clock_mhz.value) return *soc.clock_mhz.value;
  assume(findings, soc, "clock-assumed",
         format("the core clock is not known: {:.0f} MHz of {} is assumed", fitted.clock_mhz,
                fitted.soc),
         "give the real clock with --soc-figure clock_mhz=...");
  return fitted.clock_mhz;
}

double bandwidth_of(const target::Soc& soc, const FittedMachine& fitted, double clock_mhz,
                    Findings& findings) {
  if (soc.name == fitted.soc && soc.ddr_effective_gb_per_s.source != "user") {
    return fitted.constants.dma_bytes_per_cycle;
  }
  const auto bytes_per_cycle = [&](double gb_per_s) { return gb_per_s * 1000.0 / clock_mhz; };
  if (soc.ddr_effective_gb_per_s.value) return bytes_per_cycle(*soc.ddr_effective_gb_per_s.value);
  if (soc.ddr_theoretical_gb_per_s.value) {
    const double effective = *soc.ddr_theoretical_gb_per_s.value * kEffectiveShare;
    assume(findings, soc, "bandwidth-assumed",
           format("the effective DDR bandwidth is not known: {:.0f} GB/s, {:.0f} % of the "
                  "theoretical one, is assumed",
                  effective, 100.0 * kEffectiveShare));
    return bytes_per_cycle(effective);
  }
  assume(findings, soc, "bandwidth-assumed",
         format("the DDR bandwidth is not known: {:.1f} bytes a cycle of {} are assumed",
                fitted.constants.dma_bytes_per_cycle, fitted.soc));
  return fitted.constants.dma_bytes_per_cycle;
}

std::int64_t vtcm_of(const target::Soc& soc, const PredictOptions& options, Findings& findings) {
  const double largest = soc.vtcm_max_mb.value.value_or(8.0);
  double mb = options.vtcm_mb > 0 ? static_cast<double>(options.vtcm_mb) : largest;
  if (!soc.vtcm_max_mb.value) {
    assume(findings, soc, "vtcm-assumed", "the size of VTCM is not known: 8 MB are assumed");
  } else if (mb > largest) {
    assume(findings, soc, "vtcm-clamped",
           format("{:.0f} MB of VTCM were asked for, the chip has {:.0f}", mb, largest));
    mb = largest;
  }
  return static_cast<std::int64_t>(mb * kBytesPerMb);
}

Machine machine_of(const target::Soc& soc, const PredictOptions& options,
                   const FittedMachine& fitted, Findings& findings) {
  Machine machine;
  machine.constants = fitted.constants;
  if (soc.htp_arch != fitted.htp_arch) {
    assume(findings, soc, "architecture-assumed",
           format("no vendor estimates exist for {}: cycles are those of {}", soc.htp_arch,
                  fitted.htp_arch));
  }
  machine.clock_mhz = clock_of(soc, fitted, findings);
  machine.dma_bytes_per_cycle = bandwidth_of(soc, fitted, machine.clock_mhz, findings);
  machine.vtcm_bytes = vtcm_of(soc, options, findings);
  return machine;
}

void report_rough_parts(const Workload& workload, Findings& findings) {
  int float_operations = 0;
  int cpu_operations = 0;
  for (const Operation& operation : workload.operations) {
    if (operation.kind == WorkKind::kConversion) continue;
    if (operation.unit == target::Unit::kNpuFloat) ++float_operations;
    if (operation.unit == target::Unit::kCpu) ++cpu_operations;
  }
  if (float_operations > 0) {
    findings.push_back(
        {"rough-float-cost", Severity::kInfo, "",
         format("{} operations run in float16: their rates are rough", float_operations), ""});
  }
  if (cpu_operations > 0) {
    findings.push_back(
        {"rough-cpu-cost", Severity::kWarning, "",
         format("{} operations run on the CPU: their time is a guess", cpu_operations),
         "see the placement of these nodes"});
  }
}

Bound bound_of(const Operation& operation, const OperationTimes& times) {
  if (times.exclusive <= 0.0) return Bound::kNone;
  if (operation.unit == target::Unit::kCpu && times.boundary <= 0.0) return Bound::kCpu;
  const double matrix = times.matrix;
  const double best = std::max({matrix, times.vector, times.matrix_wait_for_dma});
  if (best < 0.3 * times.exclusive) return Bound::kOverhead;
  if (best == times.matrix_wait_for_dma) return Bound::kBandwidth;
  return best == matrix ? Bound::kCompute : Bound::kVector;
}

/// Of the unit that bounds the operation: its work at the peak rate over the time it takes.
double utilization_of(const Operation& operation, const OperationTimes& times, Bound bound,
                      const Machine& machine) {
  const double duration = std::max(times.exclusive, 1.0);
  double work = 0.0;
  if (bound == Bound::kCompute) {
    const double peak = kMacsOfProduct / machine.constants.matrix[0].per_product[0];
    const double half = operation.act_bits > 8 ? 2.0 : 1.0;
    return std::min(
        1.0, static_cast<double>(operation.macs) * half / peak / std::max(times.matrix, 1.0));
  }
  if (bound == Bound::kVector) work = times.vector;
  if (bound == Bound::kBandwidth) work = times.dma;
  return std::min(1.0, work / duration);
}

class Predictor {
 public:
  Predictor(const Workload& workload, const target::Soc& soc, const PredictOptions& options,
            const FittedMachine& fitted)
      : workload_(workload), options_(options), fitted_(fitted), layout_(workload) {
    machine_ = machine_of(soc, options, fitted, prediction_.findings);
  }

  Prediction run() {
    report_rough_parts(workload_, prediction_.findings);
    const auto work = operation_work(
        workload_, layout_, machine_.constants,
        {options_.io_on_device, options_.dlbc ? kCompressedShare : 1.0, machine_.vtcm_bytes});
    const Timeline timeline = schedule(workload_, work, machine_.constants, schedule_options());
    const VtcmPlan plan = plan_vtcm(workload_, layout_, work, timeline,
                                    {machine_.vtcm_bytes, schedule_options().prefetch_bytes,
                                     options_.dlbc ? kCompressedShare : 1.0});
    fill(work, timeline, plan);
    return std::move(prediction_);
  }

 private:
  [[nodiscard]] ScheduleOptions schedule_options() const {
    ScheduleOptions options;
    options.clock_mhz = machine_.clock_mhz;
    options.dma_bytes_per_cycle = machine_.dma_bytes_per_cycle;
    options.prefetch_bytes =
        machine_.constants.prefetch_share * static_cast<double>(machine_.vtcm_bytes);
    options.vector_threads = static_cast<int>(std::lround(machine_.constants.vector_threads));
    return options;
  }

  [[nodiscard]] double us(double cycles) const { return cycles / machine_.clock_mhz; }

  [[nodiscard]] Estimate bounded(double value) const {
    return {value, value * fitted_.lower_ratio, value * fitted_.upper_ratio};
  }

  void fill(const std::vector<OperationWork>& work, const Timeline& timeline,
            const VtcmPlan& plan) {
    // Spilled activations travel twice, beside everything else.
    const double spill_cycles =
        static_cast<double>(plan.summary.spill_bytes + plan.summary.fill_bytes) /
        machine_.dma_bytes_per_cycle;
    prediction_.clock_mhz = machine_.clock_mhz;
    prediction_.call_overhead_us = kCallOverheadUs;
    prediction_.peak_ops_per_us =
        2.0 * kMacsOfProduct / machine_.constants.matrix[0].per_product[0] * machine_.clock_mhz;
    prediction_.ddr_bytes_per_us = machine_.dma_bytes_per_cycle * machine_.clock_mhz;
    prediction_.vtcm = plan.summary;
    prediction_.time_us = bounded(us(timeline.cycles + spill_cycles));
    const double stretch = timeline.cycles > 0.0 ? 1.0 + spill_cycles / timeline.cycles : 1.0;
    for (std::size_t i = 0; i < work.size(); ++i) {
      add_operation(i, work[i], timeline.operations[i], plan.operations[i], stretch);
      prediction_.vtcm.over_time.push_back(
          {prediction_.operations.back().start_us, plan.operations[i].in_use_bytes});
    }
    std::stable_sort(prediction_.vtcm.over_time.begin(), prediction_.vtcm.over_time.end(),
                     [](const VtcmUse& a, const VtcmUse& b) { return a.start_us < b.start_us; });
  }

  void add_operation(std::size_t index, const OperationWork& work, const OperationTimes& times,
                     const VtcmOperation& vtcm, double stretch) {
    const Operation& operation = workload_.operations[index];
    OperationCost cost;
    cost.time_us = bounded(us(times.exclusive * stretch));
    cost.matrix_cycles = times.matrix;
    cost.vector_cycles = times.vector;
    cost.dma_cycles = times.dma;
    cost.ddr_read_bytes = work.ddr_read_bytes + vtcm.fill_bytes;
    cost.ddr_write_bytes = work.ddr_write_bytes + vtcm.spill_bytes;
    cost.vtcm_bytes = vtcm.in_use_bytes;
    cost.tile = vtcm.tile;
    cost.bound = bound_of(operation, times);
    cost.utilization = utilization_of(operation, times, cost.bound, machine_);
    cost.start_us = us(times.start * stretch);
    cost.end_us = us(times.end * stretch);
    prediction_.macs += operation.macs;
    prediction_.ddr_bytes += cost.ddr_read_bytes + cost.ddr_write_bytes;
    prediction_.boundary_us += us(times.boundary * stretch);
    prediction_.operations.push_back(cost);
  }

  const Workload& workload_;
  const PredictOptions& options_;
  const FittedMachine& fitted_;
  Layout layout_;
  Machine machine_;
  Prediction prediction_;
};

}  // namespace

const char* bound_name(Bound bound) noexcept {
  switch (bound) {
    case Bound::kCompute:
      return "compute";
    case Bound::kVector:
      return "vector";
    case Bound::kBandwidth:
      return "bandwidth";
    case Bound::kOverhead:
      return "overhead";
    case Bound::kCpu:
      return "cpu";
    case Bound::kNone:
      return "none";
  }
  return "none";
}

Prediction predict_with(const Workload& workload, const target::Soc& soc,
                        const PredictOptions& options, const FittedMachine& machine) {
  return Predictor(workload, soc, options, machine).run();
}

Prediction predict(const Workload& workload, const target::Soc& soc,
                   const PredictOptions& options) {
  return predict_with(workload, soc, options, nearest_machine(fitted_machines(), soc.htp_arch));
}

}  // namespace hexquant::perf
