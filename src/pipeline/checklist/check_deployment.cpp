#include <optional>

#include "core/format.h"
#include "core/json.h"
#include "core/shell_word.h"
#include "hexquant/error.h"
#include "pipeline/checklist/check_scene.h"
#include "pipeline/net_run.h"
#include "profiling/recorded_runs.h"

namespace hexquant::pipeline {
namespace {

constexpr const char* kGroup = "deployment";

/// The figures of a run that was just made, by the same words as those of a stored one.
profiling::RecordedRuns recorded(const NetRunResult& result) {
  return {.model = result.model,
          .device = result.device,
          .soc = result.soc,
          .count = result.latency.count,
          .differing = result.runs.differing,
          .memory_growth_bytes = result.runs.memory_growth_bytes(),
          .peak_memory_bytes = result.peak_memory_bytes,
          .first_tenth_us = result.latency.first_tenth_us,
          .drift = result.latency.drift};
}

class DeploymentChecks {
 public:
  DeploymentChecks(const CheckScene& scene, ProgressSink& progress)
      : scene_(scene), limits_(scene.thresholds), device_(scene.request.device) {
    if (!scene.request.runs.empty()) {
      read_runs();
      return;
    }
    if (!scene.request.run) {
      reason_ = "the model was not run";
      return;
    }
    NetRunRequest request;
    request.sources.model = scene.model_file;
    request.sources.device = device_;
    request.sources.soc = scene.soc;
    request.repeat.runs = demanded_runs();
    request.repeat.warmup = 5;
    request.threads = scene.request.threads;
    request.seed = scene.request.seed;
    runs_ = recorded(net_run(request, progress));
    where_ = is_htp() ? "on the vendor's simulator, not on a device"
                      : "on this machine's CPU, not on a device";
  }

  std::vector<CheckItem> run() const {
    return {as(stable(), "deployment.stability", kGroup, "Repeated runs give the same bytes"),
            as(leak(), "deployment.leak", kGroup, "Repeated runs take no more memory"),
            as(memory(), "deployment.memory", kGroup, "Memory at its peak fits the device"),
            as(steady(), "deployment.steady", kGroup, "Performance stays when warm")};
  }

 private:
  void read_runs() {
    const std::string& file = scene_.request.runs;
    runs_ = profiling::recorded_runs(read_json(file), file);
    device_ = runs_->device;
    if (is_htp() && runs_->soc != scene_.soc) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("{}: soc: expected runs on {}, which is checked, got \"{}\"", file,
                         scene_.soc, runs_->soc));
    }
    where_ = format("by {}: {} on {}", file, runs_->model, is_htp() ? "htp " + runs_->soc : "cpu");
  }
  [[nodiscard]] bool is_htp() const { return device_ == "htp"; }
  [[nodiscard]] std::int64_t demanded_runs() const {
    return is_htp() ? limits_.stability_runs_htp : limits_.stability_runs;
  }
  [[nodiscard]] CheckItem not_run(const std::string& threshold) const {
    return not_measured(threshold, reason_, on_folder("check", scene_));
  }
  [[nodiscard]] std::string run_again() const {
    const std::string& file = scene_.request.runs;
    return on_model("net-run", scene_,
                    format("--device {} --num_inferences {}{}", device_, demanded_runs(),
                           file.empty() ? "" : " --json " + shell_word(file)));
  }

  [[nodiscard]] CheckItem stable() const {
    const std::string threshold = format("{} runs, all alike", demanded_runs());
    if (!runs_) return not_run(threshold);
    const std::string figure =
        format("{} runs, {} with other bytes", runs_->count, runs_->differing);
    if (runs_->differing > 0) return failed(figure, threshold, where_, run_again());
    if (runs_->count < demanded_runs()) return not_measured(threshold, too_few(), run_again());
    return passed(figure, threshold, where_);
  }
  [[nodiscard]] std::string too_few() const {
    return format("only {} runs, {}", runs_->count, where_);
  }

  [[nodiscard]] CheckItem leak() const {
    const std::string threshold = format("growth < {:.3g} MB", limits_.max_memory_growth_mb);
    if (!runs_) return not_run(threshold);
    const double growth = static_cast<double>(runs_->memory_growth_bytes) / 1e6;
    const std::string figure = format("{:.2f} MB over the last nine tenths", growth);
    if (growth >= limits_.max_memory_growth_mb) {
      return failed(figure, threshold, "memory grows with the number of inferences; " + where_,
                    run_again());
    }
    if (runs_->count < demanded_runs()) return not_measured(threshold, too_few(), run_again());
    return passed(figure, threshold, where_);
  }

  [[nodiscard]] CheckItem memory() const {
    const std::string threshold =
        format("<= {:.0f} % of the device's memory", 100.0 * limits_.max_memory_share);
    if (!scene_.request.device_memory_mb) {
      return not_measured(threshold, "the device's memory was not stated",
                          on_folder("check", scene_, "--device-memory-mb MB"));
    }
    if (!runs_) return not_run(threshold);
    const double peak_mb = static_cast<double>(runs_->peak_memory_bytes) / 1e6;
    const double share = peak_mb / *scene_.request.device_memory_mb;
    const std::string figure = format("{:.1f} MB, {:.1f} % of {:.0f} MB", peak_mb, 100.0 * share,
                                      *scene_.request.device_memory_mb);
    if (share <= limits_.max_memory_share) {
      return passed(figure, threshold, "of the whole process, " + where_);
    }
    return failed(figure, threshold, "of the whole process, " + where_,
                  from_recipe("quantize", scene_, "--weight-bits 4"));
  }

  [[nodiscard]] CheckItem steady() const {
    const std::string threshold =
        format("last tenth at most {:.0f} % slower", 100.0 * limits_.max_slowdown);
    if (!runs_) return not_run(threshold);
    if (runs_->first_tenth_us <= 0.0) {
      return not_measured(threshold, "fewer than 20 runs; " + where_, run_again());
    }
    const std::string figure = format("{:+.1f} %", 100.0 * runs_->drift);
    if (runs_->drift <= limits_.max_slowdown) {
      return passed(figure, threshold, where_);
    }
    return failed(figure, threshold, where_, run_again());
  }

  const CheckScene& scene_;
  const CheckThresholds& limits_;
  std::string device_;  ///< cpu | htp
  std::optional<profiling::RecordedRuns> runs_;
  std::string where_;   ///< they took place
  std::string reason_;  ///< why there are none
};

}  // namespace

std::vector<CheckItem> check_deployment(const CheckScene& scene, ProgressSink& progress) {
  return DeploymentChecks(scene, progress).run();
}

}  // namespace hexquant::pipeline
