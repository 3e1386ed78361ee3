#include "graph/linear_layer.h"

#include <algorithm>

#include "graph/constants.h"
#include "hexquant/error.h"

namespace hexquant::graph {
namespace {

constexpr std::size_t kWeightInput = 1;
constexpr std::size_t kBiasInput = 2;

bool has_zero_padding(const Node& node) {
  const std::string auto_pad = node.string_attribute("auto_pad", "NOTSET");
  if (auto_pad == "VALID") return false;
  if (auto_pad != "NOTSET") return true;
  const auto pads = node.ints_attribute("pads", {});
  return std::any_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad != 0; });
}

/// Stores `tensor` at input `index`: in place when the node is its only reader, else as a copy.
void store(Graph& graph, const Node& node, std::size_t index, Tensor tensor) {
  const std::string name = node.input(index);
  if (graph.uses(name).size() == 1 && !graph.is_output(name)) {
    graph.set_initializer(name, std::move(tensor));
    return;
  }
  const std::string copy = graph.unique_name(name + "_folded");
  graph.add_initializer(copy, std::move(tensor));
  graph.set_input(node, index, copy);
}

}  // namespace

std::optional<LinearLayer> LinearLayer::find(const Graph& graph, const Node& node) {
  const bool conv = node.is("Conv");
  const bool transposed = node.is("ConvTranspose");
  if (!conv && !transposed && !node.is("Gemm") && !node.is("MatMul")) return std::nullopt;
  const Tensor* weight = graph.find_initializer(node.input(kWeightInput));
  if (weight == nullptr || weight->dtype() != DType::kFloat32 || weight->empty()) {
    return std::nullopt;
  }
  LinearLayer layer;
  layer.node_ = &node;
  const bool known = conv         ? layer.describe_conv(*weight)
                     : transposed ? layer.describe_conv_transpose(*weight)
                                  : layer.describe_matrix(graph, *weight);
  if (!known || !layer.has_usable_bias(graph)) return std::nullopt;
  return layer;
}

bool LinearLayer::describe_conv(const Tensor& weight) {
  groups_ = node_->int_attribute("group", 1);
  if (weight.rank() < 3 || groups_ < 1 || weight.shape()[0] % groups_ != 0) return false;
  first_size_ = weight.shape()[0];
  second_size_ = weight.shape()[1];
  inner_ = weight.size() / (first_size_ * second_size_);
  output_ = {first_size_, weight.rank(), weight.rank() - 2};
  input_ = {second_size_ * groups_, weight.rank(), weight.rank() - 2};
  padded_ = has_zero_padding(*node_);
  return true;
}

bool LinearLayer::describe_conv_transpose(const Tensor& weight) {
  groups_ = node_->int_attribute("group", 1);
  if (weight.rank() < 3 || groups_ < 1 || weight.shape()[0] % groups_ != 0) return false;
  first_size_ = weight.shape()[0];
  second_size_ = weight.shape()[1];
  inner_ = weight.size() / (first_size_ * second_size_);
  output_ = {second_size_ * groups_, weight.rank(), weight.rank() - 2};
  input_ = {first_size_, weight.rank(), weight.rank() - 2};
  padded_ = true;
  output_first_ = false;
  return true;
}

bool LinearLayer::describe_matrix(const Graph& graph, const Tensor& weight) {
  if (weight.rank() != 2) return false;
  const bool gemm = node_->is("Gemm");
  output_first_ = gemm && node_->int_attribute("transB", 0) != 0;
  first_size_ = weight.shape()[0];
  second_size_ = weight.shape()[1];
  const std::int64_t outputs = output_first_ ? first_size_ : second_size_;
  const std::int64_t inputs = output_first_ ? second_size_ : first_size_;
  const std::int64_t rank = gemm ? 2 : known_rank(graph, node_->input(0)).value_or(0);
  output_ = {outputs, rank, 0};
  const bool transposed_input = gemm && node_->int_attribute("transA", 0) != 0;
  input_ = {transposed_input ? 0 : inputs, rank, 0};
  return true;
}

bool LinearLayer::has_usable_bias(const Graph& graph) const {
  const std::string& name = node_->input(kBiasInput);
  if (name.empty() || !takes_bias()) return true;
  const Tensor* bias = graph.find_initializer(name);
  if (bias == nullptr) return false;
  if (node_->is("Gemm")) {
    return bias->rank() <= 2 && broadcast_constant(graph, name, {output_.channels}).has_value();
  }
  return bias->dtype() == DType::kFloat32 && bias->shape() == Shape{output_.channels};
}

template <typename Visit>
void LinearLayer::each_run(Visit visit) const {
  std::size_t begin = 0;
  const auto length = static_cast<std::size_t>(inner_);
  for (std::int64_t first = 0; first < first_size_; ++first) {
    const std::int64_t group = first / (first_size_ / groups_);
    for (std::int64_t second = 0; second < second_size_; ++second, begin += length) {
      const std::int64_t other = group * second_size_ + second;
      visit(output_first_ ? WeightChannels{first, other} : WeightChannels{other, first}, begin,
            begin + length);
    }
  }
}

WeightChannels LinearLayer::channels_of(std::int64_t flat_index) const noexcept {
  const std::int64_t second = flat_index / inner_ % second_size_;
  const std::int64_t first = flat_index / inner_ / second_size_;
  const std::int64_t group = first / (first_size_ / groups_);
  const std::int64_t other = group * second_size_ + second;
  if (output_first_) return {first, other};
  return {other, first};
}

std::vector<double> LinearLayer::bias(const Graph& graph) const {
  std::vector<double> values(static_cast<std::size_t>(output_.channels), 0.0);
  const std::string& name = node_->input(kBiasInput);
  if (name.empty() || !takes_bias()) return values;
  const double beta =
      node_->is("Gemm") ? static_cast<double>(node_->float_attribute("beta", 1.0F)) : 1.0;
  const auto stored = to_doubles(*broadcast_constant(graph, name, {output_.channels}));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = beta * stored[i];
  return values;
}

std::vector<double> LinearLayer::response_to_shift(const Graph& graph,
                                                   const std::vector<double>& shift) const {
  std::vector<double> response(static_cast<std::size_t>(output_.channels), 0.0);
  const auto weight = graph.find_initializer(node_->input(kWeightInput))->data<float>();
  each_run([&](WeightChannels at, std::size_t begin, std::size_t end) {
    double& sum = response[static_cast<std::size_t>(at.output)];
    const double step = shift[static_cast<std::size_t>(at.input)];
    for (std::size_t i = begin; i < end; ++i) sum += static_cast<double>(weight[i]) * step;
  });
  if (node_->is("Gemm")) {
    const auto alpha = static_cast<double>(node_->float_attribute("alpha", 1.0F));
    for (double& value : response) value *= alpha;
  }
  return response;
}

void LinearLayer::scale_weight(Graph& graph, const std::vector<double>& output_factor,
                               const std::vector<double>& input_factor) const {
  Tensor tensor = *graph.find_initializer(node_->input(kWeightInput));
  const auto values = tensor.mutable_data<float>();
  each_run([&](WeightChannels at, std::size_t begin, std::size_t end) {
    double factor = 1.0;
    if (!output_factor.empty()) factor *= output_factor[static_cast<std::size_t>(at.output)];
    if (!input_factor.empty()) factor *= input_factor[static_cast<std::size_t>(at.input)];
    for (std::size_t i = begin; i < end; ++i) {
      values[i] = static_cast<float>(static_cast<double>(values[i]) * factor);
    }
  });
  store(graph, *node_, kWeightInput, std::move(tensor));
}

void LinearLayer::set_bias(Graph& graph, const std::vector<double>& values) const {
  HEXQUANT_CHECK(takes_bias(), "node '" + node_->name() + "' takes no bias");
  const std::vector<float> rounded(values.begin(), values.end());
  Tensor tensor = Tensor::from({output_.channels}, rounded);
  if (node_->is("Gemm")) graph.erase_attribute(*node_, "beta");
  if (!node_->input(kBiasInput).empty()) {
    store(graph, *node_, kBiasInput, std::move(tensor));
    return;
  }
  const std::string name = graph.unique_name(node_->name() + "_bias");
  graph.add_initializer(name, std::move(tensor));
  graph.set_input(*node_, kBiasInput, name);
}

}  // namespace hexquant::graph
