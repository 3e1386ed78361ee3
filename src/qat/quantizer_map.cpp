#include "qat/quantizer_map.h"

#include <set>

#include "core/format.h"
#include "hexquant/error.h"
#include "qat/network_structure.h"

namespace hexquant::qat {

/// What the quantizers are made from.
struct QuantizerMap::Scene {
  const graph::Graph& graph;
  const quant::QuantPlan& plan;
  const quant::EncodingTable& encodings;
  const NetworkOptions& options;
  std::set<std::string> trained;

  [[nodiscard]] const quant::TensorPolicy* policy(const std::string& name) const {
    const auto found = plan.tensors.find(name);
    return found == plan.tensors.end() ? nullptr : &found->second;
  }
  /// The tensor that stands for all that share its encoding.
  [[nodiscard]] std::string group_of(const std::string& name) const {
    const quant::TensorPolicy* own = policy(name);
    return own == nullptr || own->shares_encoding_of.empty() ? name : own->shares_encoding_of;
  }
};

QuantizerMap::QuantizerMap(const graph::Graph& graph, const quant::QuantPlan& plan,
                           const quant::EncodingTable& encodings, const NetworkOptions& options) {
  const Scene scene{graph, plan, encodings, options, trained_constants(graph)};
  for (const auto& [name, encoding] : encodings.tensors) {
    if (!graph.has_value(name)) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("encoding of '{}': the graph has no such tensor", name));
    }
    if (encoding.type != DType::kInt32) values_[name] = add_value(scene, name, encoding);
  }
  add_edges(scene);
  apply_limits(graph);
}

std::size_t QuantizerMap::add(std::unique_ptr<Quantizer> quantizer) {
  quantizers_.push_back(std::move(quantizer));
  return quantizers_.size() - 1;
}

std::size_t QuantizerMap::add_value(const Scene& scene, const std::string& name,
                                    const Encoding& encoding) {
  const std::string group = scene.group_of(name);
  const auto known = groups_.find(group);
  if (known != groups_.end() && quantizers_[known->second]->start() == encoding) {
    return known->second;
  }
  const Tensor* constant = scene.graph.find_initializer(name);
  const bool is_shared = group != name;
  const bool learned = constant == nullptr || is_shared || scene.trained.contains(name);
  // A member of the group with an encoding of its own goes by its own name.
  auto quantizer =
      std::make_unique<Quantizer>(known == groups_.end() ? group : name, encoding,
                                  scene.policy(name), is_shared ? nullptr : constant, learned);
  if (constant != nullptr && encoding.bits() == 4 && scene.options.narrow_weight_bits < 4 &&
      encoding.symmetric && scene.trained.contains(name)) {
    quantizer->narrow(scene.options.narrow_weight_bits, *constant);
    narrowed_.push_back(name);
  }
  const std::size_t index = add(std::move(quantizer));
  groups_.emplace(group, index);
  return index;
}

void QuantizerMap::add_edges(const Scene& scene) {
  std::map<std::string, std::vector<std::size_t>> of_value;  // readers' quantizers of a value
  for (const graph::Node& node : scene.graph.nodes()) {
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const quant::EdgeKey key{node.name(), static_cast<int>(i)};
      const auto given = scene.encodings.edges.find(key);
      if (given == scene.encodings.edges.end()) continue;
      std::vector<std::size_t>& known = of_value[node.input(i)];
      std::optional<std::size_t> index;
      for (const std::size_t candidate : known) {
        if (quantizers_[candidate]->start() == given->second) index = candidate;
      }
      if (!index) {
        const auto policy = scene.plan.edges.find(key);
        index = add(std::make_unique<Quantizer>(
            node.name() + ":" + node.input(i), given->second,
            policy == scene.plan.edges.end() ? nullptr : &policy->second, nullptr, true));
        known.push_back(*index);
      }
      edges_[key] = *index;
    }
  }
}

void QuantizerMap::apply_limits(const graph::Graph& graph) {
  for (const auto& [name, index] : values_) {
    const graph::Node* producer = graph.producer(name);
    if (producer == nullptr) continue;
    if (const auto range = clip_range(graph, *producer)) quantizers_[index]->limit(*range);
  }
}

const Quantizer* QuantizerMap::of_value(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : quantizers_[found->second].get();
}

const Quantizer* QuantizerMap::of_edge(const std::string& node, std::size_t index) const {
  const auto found = edges_.find({node, static_cast<int>(index)});
  return found == edges_.end() ? nullptr : quantizers_[found->second].get();
}

void QuantizerMap::write(quant::EncodingTable& encodings) const {
  for (const auto& [name, index] : values_) {
    encodings.tensors[name] = quantizers_[index]->encoding();
  }
  for (const auto& [edge, index] : edges_) encodings.edges[edge] = quantizers_[index]->encoding();
}

}  // namespace hexquant::qat
