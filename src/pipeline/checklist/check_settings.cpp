#include <algorithm>

#include "core/format.h"
#include "pipeline/checklist/check_scene.h"
#include "target/node_unit.h"

namespace hexquant::pipeline {
namespace {

constexpr const char* kGroup = "quantization";
constexpr std::size_t kNamed = 3;

std::string some_of(const std::vector<std::string>& names) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), kNamed));
  std::string text =
      format("{}", join(std::vector<std::string>(names.begin(), names.begin() + shown), ", "));
  if (names.size() > kNamed) text += format(" and {} more", names.size() - kNamed);
  return text;
}

/// Layers that have weights of their own and no stated reason to differ from what was asked.
CheckItem check_granularity(const CheckScene& scene) {
  std::size_t weighted = 0;
  std::vector<std::string> per_tensor;
  for (const Json& layer : scene.report.at("layers")) {
    const auto op = layer.at("op").get<std::string>();
    const bool is_linear = op == "Conv" || op == "ConvTranspose" || op == "Gemm" || op == "MatMul";
    if (!is_linear || layer.at("parameters").get<std::int64_t>() == 0) continue;
    if (!layer.at("reason").get<std::string>().empty()) continue;
    ++weighted;
    if (layer.at("granularity") == "tensor") per_tensor.push_back(layer.at("name"));
  }
  const std::string threshold =
      format(">= {:.0f} % of the layers", 100.0 * scene.thresholds.min_per_channel);
  if (weighted == 0) return passed("no layer has weights", threshold);
  const double share = 1.0 - static_cast<double>(per_tensor.size()) / static_cast<double>(weighted);
  const std::string figure = format("{} of {} layers", weighted - per_tensor.size(), weighted);
  if (share >= scene.thresholds.min_per_channel) return passed(figure, threshold);
  return failed(figure, threshold, "one scale for all channels: " + some_of(per_tensor),
                from_recipe("quantize", scene, "--granularity channel"));
}

CheckItem check_observer(const CheckScene& scene) {
  const std::string threshold = format("no range makes more than {:.2g} dB above the least error",
                                       scene.thresholds.max_range_excess_db);
  double worst = 0.0;
  std::string where;
  bool is_known = false;
  for (const Json& activation : scene.report.at("activations")) {
    const auto excess = activation.find("range_excess_db");
    if (excess == activation.end() || !excess->is_number()) continue;
    is_known = true;
    if (excess->get<double>() <= worst) continue;
    worst = excess->get<double>();
    where = activation.at("tensor").get<std::string>();
  }
  if (!is_known) {
    return not_measured(threshold, "the report does not say how good the ranges are",
                        from_recipe("quantize", scene, ""));
  }
  const std::string figure = format("{}, at most {:.1f} dB", scene.recipe.observer, worst);
  if (worst <= scene.thresholds.max_range_excess_db) return passed(figure, threshold);
  return failed(figure, threshold, format("the range of '{}' does not fit its values", where),
                from_recipe("quantize", scene, "--observer mse"));
}

/// Weight codes around 0; activations that are never negative use all of their codes.
CheckItem check_symmetry(const CheckScene& scene) {
  const std::string threshold = "weights symmetric, activations behind a Relu asymmetric";
  std::vector<std::string> weights;
  for (const graph::Node& node : scene.model.nodes()) {
    const bool is_weight =
        target::is_dequantize(node) && scene.model.find_initializer(node.input(0)) != nullptr;
    const Tensor* zero_point = scene.model.find_initializer(node.input(2));
    if (!is_weight || zero_point == nullptr) continue;
    // Constants that are no weights (a factor, a table) have the range of an activation.
    const auto& uses = scene.model.uses(node.output());
    const bool feeds_layer = std::any_of(uses.begin(), uses.end(), [](const graph::Use& use) {
      const std::string& op = use.node->op_type();
      return use.index == 1 &&
             (op == "Conv" || op == "ConvTranspose" || op == "Gemm" || op == "MatMul");
    });
    if (!feeds_layer) continue;
    const std::vector<double> zeros = to_doubles(*zero_point);
    if (std::any_of(zeros.begin(), zeros.end(), [](double zero) { return zero != 0.0; })) {
      weights.push_back(node.input(0));
    }
  }
  std::vector<std::string> activations;
  for (const Json& activation : scene.report.at("activations")) {
    const bool is_positive = activation.at("observed_min").get<double>() >= 0.0;
    const auto type = activation.at("type").get<std::string>();
    const bool uses_all = type.starts_with("uint") && activation.at("zero_point") == 0;
    if (is_positive && !uses_all) activations.push_back(activation.at("tensor"));
  }
  if (weights.empty() && activations.empty()) return passed("all of them", threshold);
  if (!weights.empty()) {
    return failed(format("{} weights have a zero point", weights.size()), threshold,
                  "the HTP multiplies symmetric weights only at full speed: " + some_of(weights),
                  from_recipe("quantize", scene, "--weight-schema symmetric"));
  }
  return failed(format("{} activations waste half of their codes", activations.size()), threshold,
                "never negative, and yet symmetric: " + some_of(activations),
                "leave is_symmetric for activations out of the file of --overrides or --config");
}

}  // namespace

std::vector<CheckItem> check_settings(const CheckScene& scene) {
  return {as(check_granularity(scene), "quantization.per-channel", kGroup,
             "Weights quantized per channel"),
          as(check_observer(scene), "quantization.observer", kGroup,
             "Observer that fits the activations"),
          as(check_symmetry(scene), "quantization.symmetry", kGroup,
             "Symmetric weights, asymmetric Relu activations")};
}

}  // namespace hexquant::pipeline
