#include <algorithm>
#include <optional>

#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/analyze_model.h"
#include "pipeline/checklist/check_scene.h"
#include "pipeline/compile_model.h"
#include "pipeline/optimize_samples.h"
#include "pipeline/profile_run.h"

namespace hexquant::pipeline {
namespace {

constexpr const char* kGroup = "performance";
constexpr std::size_t kTop = 10;

struct NamedCost {
  std::string name;
  double amount = 0.0;
};

std::string top_text(std::vector<NamedCost> costs) {
  double all = 0.0;
  for (const NamedCost& cost : costs) all += cost.amount;
  const std::size_t shown = std::min(costs.size(), kTop);
  std::partial_sort(costs.begin(), costs.begin() + static_cast<std::ptrdiff_t>(shown), costs.end(),
                    [](const NamedCost& a, const NamedCost& b) { return a.amount > b.amount; });
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < shown; ++i) {
    parts.push_back(
        format("{} {:.1f} %", costs[i].name, all > 0.0 ? 100.0 * costs[i].amount / all : 0.0));
  }
  return format("{}", join(parts, ", "));
}

class PerformanceChecks {
 public:
  explicit PerformanceChecks(const CheckScene& scene) : scene_(scene) {
    if (scene.request.profiles.empty()) return;
    ProfileRequest profile;
    profile.files = scene.request.profiles;
    profile.model = scene.model_file;
    profile.soc = scene.soc;
    profile_ = profile_run(profile);
  }

  std::vector<CheckItem> run() const {
    return {as(top_layers(), "performance.top-layers", kGroup, "The ten slowest layers are known"),
            as(fallback(), "performance.no-fallback", kGroup, "No operation runs on the CPU"),
            as(vtcm(), "performance.vtcm", kGroup, "VTCM is used"),
            as(layout(), "performance.nhwc", kGroup, "Image inputs have the channels last")};
  }

 private:
  [[nodiscard]] CheckItem top_layers() const {
    const std::string threshold = "a profile of the model";
    std::vector<NamedCost> costs;
    if (profile_ && !profile_->profiles.empty()) {
      for (const profiling::ProfileRow& row : profile_->profiles.front().rows) {
        costs.push_back({row.label(), row.amount});
      }
      return passed(top_text(std::move(costs)), threshold);
    }
    for (std::size_t i = 0; i < scene_.analysis.workload.operations.size(); ++i) {
      costs.push_back({scene_.analysis.workload.operations[i].name,
                       scene_.analysis.prediction.operations[i].time_us.value});
    }
    return not_measured(threshold,
                        "no profile of a device; predicted: " + top_text(std::move(costs)),
                        on_folder("check", scene_, "--profile FILE"));
  }

  [[nodiscard]] CheckItem fallback() const {
    const std::string threshold = "none";
    std::vector<std::string> nodes;
    std::string fix;
    if (profile_ && profile_->fallback.is_known) {
      for (const FallbackNode& node : profile_->fallback.nodes) {
        if (!node.is_conversion) nodes.push_back(format("{} ({})", node.name, node.op));
      }
    } else {
      for (const target::Placement& node : scene_.analysis.placement.nodes) {
        if (node.unit != target::Unit::kCpu || is_border_conversion(node)) continue;
        nodes.push_back(format("{} ({}): {}", node.node, node.op_type, node.reason));
        if (fix.empty()) fix = node.fix;
      }
    }
    const std::string figure = format("{} operations", nodes.size());
    const std::string source = profile_ && profile_->fallback.is_known
                                   ? "measured"
                                   : "by the rules; 'hexquant compile' asks the vendor's compiler";
    if (nodes.empty()) return passed(figure, threshold, source);
    if (nodes.size() > kTop) nodes.resize(kTop);
    return failed(figure, threshold, format("{}", join(nodes, "; ")),
                  fix.empty() ? on_model("optimize", scene_, "-o FILE.onnx") : fix);
  }

  [[nodiscard]] CheckItem vtcm() const {
    const perf::VtcmSummary& use = scene_.analysis.prediction.vtcm;
    const std::string threshold = format("> {:.0f} % at the peak, or nothing that has to leave it",
                                         100.0 * scene_.thresholds.min_vtcm_utilization);
    if (use.size_bytes == 0) {
      return not_measured(threshold, "the chip's VTCM is not known",
                          on_folder("check", scene_, "--soc SM8650"));
    }
    const double share = static_cast<double>(use.peak_bytes) / static_cast<double>(use.size_bytes);
    const std::string figure =
        format("peak {:.0f} % of {} MB, {:.2f} MB spilled", 100.0 * share, use.size_bytes >> 20,
               static_cast<double>(use.spill_bytes) / 1e6);
    if (share > scene_.thresholds.min_vtcm_utilization) {
      return passed(figure, threshold, "predicted");
    }
    if (use.spill_bytes == 0) {
      return passed(figure, threshold, "predicted: the model is small enough to need no more");
    }
    return failed(figure, threshold, "activations go to DDR while VTCM has room",
                  on_model("analyze", scene_, "--what-if vtcm-mb=4,vtcm-mb=8"));
  }

  [[nodiscard]] CheckItem layout() const {
    const std::string threshold = "NHWC";
    std::vector<std::string> inputs;
    const std::vector<ImageInput> images = image_inputs(scene_.model);
    for (const ImageInput& image : images) {
      if (image.channel_axis == 1) inputs.push_back(image.name);
    }
    if (images.empty()) return passed("no input is an image", threshold);
    if (inputs.empty()) return passed("NHWC", threshold);
    return failed(format("NCHW: {}", join(inputs, ", ")), threshold,
                  "the NPU transposes the input before it can begin",
                  on_model("optimize", scene_, "--nhwc-input -o FILE.onnx"));
  }

  const CheckScene& scene_;
  std::optional<ProfileResult> profile_;
};

}  // namespace

std::vector<CheckItem> check_performance(const CheckScene& scene) {
  return PerformanceChecks(scene).run();
}

}  // namespace hexquant::pipeline
