#include "pipeline/training_norms.h"

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/format.h"

namespace hexquant::pipeline {
namespace {

/// Axis of the output channels of a layer's weight; absent where the norm cannot be told apart.
std::optional<int> channel_axis(const graph::Node& layer) {
  if (layer.is("Conv")) return 0;
  if (layer.is("ConvTranspose") && layer.int_attribute("group", 1) == 1) return 1;
  const bool is_plain = layer.is("Gemm") && layer.float_attribute("alpha", 1.0F) == 1.0F &&
                        layer.float_attribute("beta", 1.0F) == 1.0F &&
                        layer.int_attribute("transA", 0) == 0;
  if (is_plain) return layer.int_attribute("transB", 0) != 0 ? 0 : 1;
  return std::nullopt;
}

bool is_own_constant(const graph::Graph& graph, const std::string& name, std::size_t size) {
  const Tensor* tensor = graph.find_initializer(name);
  return tensor != nullptr && graph.uses(name).size() == 1 && !graph.is_output(name) &&
         (size == 0 || static_cast<std::size_t>(tensor->size()) == size);
}

std::vector<float> to_floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

std::optional<qat::BatchNorm> trainable(const passes::FoldedNorm& folded, const graph::Graph& graph,
                                        const graph::Node& layer) {
  const std::optional<int> axis = channel_axis(layer);
  if (!axis || !is_own_constant(graph, layer.input(1), 0) ||
      !is_own_constant(graph, layer.input(2), folded.gamma.size())) {
    return std::nullopt;
  }
  return qat::BatchNorm{.weight = layer.input(1),
                        .bias = layer.input(2),
                        .axis = *axis,
                        .gamma = to_floats(folded.gamma),
                        .beta = to_floats(folded.beta),
                        .deviation = to_floats(folded.deviation),
                        .epsilon = folded.epsilon};
}

}  // namespace

std::vector<qat::BatchNorm> trainable_norms(const std::vector<passes::PassReport>& passes,
                                            const graph::Graph& prepared, Findings& findings) {
  std::map<std::string, const graph::Node*> nodes;
  for (const graph::Node& node : prepared.nodes()) nodes[node.name()] = &node;
  std::vector<qat::BatchNorm> norms;
  std::vector<std::string> left_out;
  for (const passes::PassReport& pass : passes) {
    for (const passes::FoldedNorm& folded : pass.folded_norms) {
      const auto layer = nodes.find(folded.layer);
      std::optional<qat::BatchNorm> norm;
      if (layer != nodes.end()) norm = trainable(folded, prepared, *layer->second);
      if (norm) {
        norms.push_back(std::move(*norm));
      } else {
        left_out.push_back(folded.layer);
      }
    }
  }
  if (!left_out.empty()) {
    findings.push_back({"batch-norm-trained-folded", Severity::kInfo, "",
                        format("{} are trained with their BatchNormalization folded: their weight "
                               "or bias is shared, or of another form",
                               join(left_out, ", ")),
                        ""});
  }
  if (norms.empty()) {
    findings.push_back({"no-batch-norm", Severity::kWarning, "",
                        "the model has no BatchNormalization behind a layer (many exporters fold "
                        "it): nothing is frozen or kept",
                        "export the model in training mode, or leave --batch-norm out"});
  }
  return norms;
}

}  // namespace hexquant::pipeline
