#include <optional>

#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/checklist/check_scene.h"
#include "pipeline/net_run.h"

namespace hexquant::pipeline {
namespace {

constexpr const char* kGroup = "deployment";

class DeploymentChecks {
 public:
  DeploymentChecks(const CheckScene& scene, ProgressSink& progress)
      : scene_(scene), limits_(scene.thresholds) {
    if (!scene.request.run) {
      reason_ = "the model was not run";
      return;
    }
    NetRunRequest request;
    request.sources.model = scene.model_file;
    request.sources.device = scene.request.device;
    request.sources.soc = scene.soc;
    request.repeat.runs = is_htp() ? limits_.stability_runs_htp : limits_.stability_runs;
    request.repeat.warmup = 5;
    request.threads = scene.request.threads;
    request.seed = scene.request.seed;
    runs_ = net_run(request, progress);
  }

  std::vector<CheckItem> run() const {
    return {as(stable(), "deployment.stability", kGroup, "Repeated runs give the same bytes"),
            as(leak(), "deployment.leak", kGroup, "Repeated runs take no more memory"),
            as(memory(), "deployment.memory", kGroup, "Memory at its peak fits the device"),
            as(steady(), "deployment.steady", kGroup, "Performance stays when warm")};
  }

 private:
  [[nodiscard]] bool is_htp() const { return scene_.request.device == "htp"; }
  [[nodiscard]] CheckItem not_run(const std::string& threshold) const {
    return not_measured(threshold, reason_, format("hexquant check {}", scene_.request.folder));
  }
  [[nodiscard]] std::string where() const {
    return is_htp() ? "on the vendor's simulator, not on a device"
                    : "on this machine's CPU, not on a device";
  }
  [[nodiscard]] std::string run_again() const {
    return format("hexquant net-run {} --device {} --num_inferences {}", scene_.model_file,
                  scene_.request.device, limits_.stability_runs);
  }

  [[nodiscard]] CheckItem stable() const {
    const std::string threshold = format(
        "{} runs, all alike", is_htp() ? limits_.stability_runs_htp : limits_.stability_runs);
    if (!runs_) return not_run(threshold);
    const std::string figure =
        format("{} runs, {} with other bytes", runs_->latency.count, runs_->runs.differing);
    if (runs_->runs.differing == 0) return passed(figure, threshold, where());
    return failed(figure, threshold, where(), run_again());
  }

  [[nodiscard]] CheckItem leak() const {
    const std::string threshold = format("growth < {:.3g} MB", limits_.max_memory_growth_mb);
    if (!runs_) return not_run(threshold);
    const double growth = static_cast<double>(runs_->runs.memory_growth_bytes()) / 1e6;
    const std::string figure = format("{:.2f} MB over the last nine tenths", growth);
    if (growth < limits_.max_memory_growth_mb) return passed(figure, threshold, where());
    return failed(figure, threshold, "memory grows with the number of inferences", run_again());
  }

  [[nodiscard]] CheckItem memory() const {
    const std::string threshold =
        format("<= {:.0f} % of the device's memory", 100.0 * limits_.max_memory_share);
    if (!scene_.request.device_memory_mb) {
      return not_measured(threshold, "the device's memory was not stated",
                          format("hexquant check {} --device-memory-mb MB", scene_.request.folder));
    }
    if (!runs_) return not_run(threshold);
    const double peak_mb = static_cast<double>(runs_->peak_memory_bytes) / 1e6;
    const double share = peak_mb / *scene_.request.device_memory_mb;
    const std::string figure = format("{:.1f} MB, {:.1f} % of {:.0f} MB", peak_mb, 100.0 * share,
                                      *scene_.request.device_memory_mb);
    if (share <= limits_.max_memory_share) {
      return passed(figure, threshold, "of the whole process, " + where());
    }
    return failed(figure, threshold, "of the whole process, " + where(),
                  quantize_again(scene_, "--weight-bits 4"));
  }

  [[nodiscard]] CheckItem steady() const {
    const std::string threshold =
        format("last tenth at most {:.0f} % slower", 100.0 * limits_.max_slowdown);
    if (!runs_) return not_run(threshold);
    if (runs_->latency.first_tenth_us <= 0.0) {
      return not_measured(threshold, "fewer than 20 runs", run_again());
    }
    const std::string figure = format("{:+.1f} %", 100.0 * runs_->latency.drift);
    if (runs_->latency.drift <= limits_.max_slowdown) {
      return passed(figure, threshold, where());
    }
    return failed(figure, threshold, where(), run_again());
  }

  const CheckScene& scene_;
  const CheckThresholds& limits_;
  std::optional<NetRunResult> runs_;
  std::string reason_;
};

}  // namespace

std::vector<CheckItem> check_deployment(const CheckScene& scene, ProgressSink& progress) {
  return DeploymentChecks(scene, progress).run();
}

}  // namespace hexquant::pipeline
