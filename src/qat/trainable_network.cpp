#include "qat/trainable_network.h"

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"
#include "qat/kept_norm.h"
#include "qat/network_structure.h"
#include "qat/operator.h"
#include "qat/quantizer_map.h"
#include "qat/torch_tensor.h"

namespace hexquant::qat {
namespace {

using graph::Graph;
using graph::Node;

constexpr int kAbsent = -1;

/// A node made ready: values are slots.
struct Step {
  std::string label;  ///< "'conv1' (Conv)", for messages
  Apply apply;
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::vector<const Quantizer*> edges;    ///< for each input; may be null
  std::vector<const Quantizer*> results;  ///< for each output; may be null
  std::vector<int> last_reads;            ///< slots that no later step reads
  KeptNorm* norm = nullptr;               ///< BatchNorm that is trained with this layer
};

/// A constant of the graph.
struct Constant {
  int slot;
  torch::Tensor tensor;        ///< undefined where it follows from `norm`
  const Quantizer* quantizer;  ///< may be null
  const KeptNorm* norm = nullptr;
  bool is_norm_bias = false;

  [[nodiscard]] torch::Tensor value(Mode mode) const {
    if (norm == nullptr) return tensor;
    if (!is_norm_bias) return norm->folded_weight();
    // The batch's mean takes the bias away again.
    return mode == Mode::kTraining && norm->uses_batches() ? torch::Tensor() : norm->folded_bias();
  }
};

std::string label_of(const Node& node) {
  return format("'{}' ({})", node.name(), node.op_type());
}

/// Why a node cannot be trained, or its function.
Apply build(const Graph& graph, const Node& node, std::vector<std::string>& refused) {
  try {
    if (node.has_subgraph()) unsupported("it holds a subgraph");
    const Operator* known = find_operator(node);
    if (known == nullptr) unsupported("no gradient is known for this operation");
    return known->build({graph, node});
  } catch (const Error& error) {
    refused.push_back(format("{}: {}", label_of(node), error.what()));
    return {};
  }
}

[[noreturn]] void refuse(const std::vector<std::string>& reasons) {
  throw Error(ErrorCode::kUnsupported, format("{} node{} cannot be trained: {}", reasons.size(),
                                              reasons.size() == 1 ? "" : "s", join(reasons, "; ")));
}

/// LibTorch's reason without its stack.
std::string first_line(const c10::Error& error) {
  const std::string text = error.what_without_backtrace();
  return text.substr(0, text.find('\n'));
}

/// Images lie with their channels together, which oneDNN's convolutions want.
torch::Tensor channels_last(const torch::Tensor& tensor) {
  if (tensor.dim() != 4 || tensor.scalar_type() != torch::kFloat32) return tensor;
  return tensor.contiguous(at::MemoryFormat::ChannelsLast);
}

bool has_planes(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& node) {
    const Tensor* weight = graph.find_initializer(node.input(1));
    return node.is("Conv") && weight != nullptr && weight->rank() == 4;
  });
}

}  // namespace

struct TrainableNetwork::Impl {
  Impl(const Graph& graph, const quant::QuantPlan& plan, const quant::EncodingTable& encodings,
       const NetworkOptions& options)
      : quantizers(graph, plan, encodings, options),
        is_channels_last(has_planes(graph)),
        block_outputs(find_block_outputs(graph)) {
    for (const std::string& name : graph.inputs()) add_input(graph, name);
    add_norms(graph, options);
    add_constants(graph);
    add_steps(graph);
    for (const std::string& name : graph.outputs()) outputs.push_back(slot_of(name));
    find_last_reads();
    list_ranges();
    list_norms();
    for (const std::string& name : quantizers.narrowed()) {
      findings.push_back(
          {"narrow-weight-codes", Severity::kWarning, name,
           format("trained with {}-bit codes, stored as 4 bits", options.narrow_weight_bits),
           "research only: the HTP cannot run weights of fewer than 4 bits, and runs these as 4"});
    }
  }

  int slot_of(const std::string& name) {
    if (name.empty()) return kAbsent;
    return slots.try_emplace(name, static_cast<int>(slots.size())).first->second;
  }

  void add_input(const Graph& graph, const std::string& name) {
    inputs.push_back(slot_of(name));
    input_names.push_back(name);
    const graph::ValueType* type = graph.find_type(name);
    input_types.push_back(type == nullptr ? graph::ValueType{} : *type);
    input_quantizers.push_back(quantizers.of_value(name));
  }

  void add_norms(const Graph& graph, const NetworkOptions& options) {
    if (options.norm_mode == NormMode::kFolded) return;
    for (const BatchNorm& norm : options.norms) {
      auto kept = std::make_unique<KeptNorm>(norm, to_torch(*graph.find_initializer(norm.weight)),
                                             to_torch(*graph.find_initializer(norm.bias)),
                                             options.norm_mode);
      norm_of[norm.weight] = norm_of[norm.bias] = kept.get();
      norms.push_back(std::move(kept));
    }
  }

  [[nodiscard]] KeptNorm* find_norm(const std::string& constant) const {
    const auto found = norm_of.find(constant);
    return found == norm_of.end() ? nullptr : found->second;
  }

  void add_constants(const Graph& graph) {
    const std::set<std::string> trained = trained_constants(graph);
    for (const auto& [name, value] : graph.initializers()) {
      if (graph.uses(name).empty() && !graph.is_output(name)) continue;
      if (const KeptNorm* norm = find_norm(name)) {
        constants.push_back({slot_of(name), torch::Tensor(), quantizers.of_value(name), norm,
                             name == norm->norm().bias});
        continue;
      }
      torch::Tensor tensor = to_torch(value);
      if (is_channels_last) tensor = channels_last(tensor);
      if (trained.contains(name)) {
        tensor.requires_grad_();
        weights.push_back({name, tensor, tensor.detach().abs().mean().item<double>()});
      }
      constants.push_back({slot_of(name), tensor, constant_quantizer(graph, name)});
    }
  }

  /// None where the rows of a table are rounded once they are gathered: the same values, and fewer.
  [[nodiscard]] const Quantizer* constant_quantizer(const Graph& graph,
                                                    const std::string& name) const {
    const Quantizer* own = quantizers.of_value(name);
    const auto& uses = graph.uses(name);
    const bool only_gathered =
        !uses.empty() && std::all_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
          return use.index == 0 && use.node->is("Gather") &&
                 quantizers.of_value(use.node->output()) == own;
        });
    return only_gathered ? nullptr : own;
  }

  void add_steps(const Graph& graph) {
    std::vector<std::string> refused;
    for (const Node& node : graph.nodes()) {
      Step step;
      step.label = label_of(node);
      step.apply = build(graph, node, refused);
      step.norm = find_norm(node.input(1));
      for (std::size_t i = 0; i < node.inputs().size(); ++i) {
        step.inputs.push_back(slot_of(node.input(i)));
        step.edges.push_back(quantizers.of_edge(node.name(), i));
      }
      for (const std::string& output : node.outputs()) {
        step.outputs.push_back(slot_of(output));
        step.results.push_back(result_quantizer(graph, node, output));
      }
      steps.push_back(std::move(step));
    }
    if (!refused.empty()) refuse(refused);
  }

  /// None where every element of the output already lies on the grid.
  [[nodiscard]] const Quantizer* result_quantizer(const Graph& graph, const Node& node,
                                                  const std::string& output) const {
    const Quantizer* own = quantizers.of_value(output);
    if (own == nullptr || !keeps_grid(node)) return own;
    const std::vector<std::string> data = data_inputs(node);
    for (std::size_t i = 0; i < data.size(); ++i) {
      const bool is_constant = graph.find_initializer(data[i]) != nullptr;
      const Quantizer* before =
          is_constant ? constant_quantizer(graph, data[i]) : quantizers.of_value(data[i]);
      if (before != own || quantizers.of_edge(node.name(), i) != nullptr) return own;
    }
    return nullptr;
  }

  void find_last_reads() {
    std::set<int> seen(outputs.begin(), outputs.end());
    for (const Constant& constant : constants) seen.insert(constant.slot);
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      for (const std::vector<int>* slots_here : {&step->inputs, &step->outputs}) {
        for (const int slot : *slots_here) {
          if (slot != kAbsent && seen.insert(slot).second) step->last_reads.push_back(slot);
        }
      }
    }
  }

  void list_ranges() {
    for (const auto& quantizer : quantizers.all()) {
      if (quantizer->is_learned()) ranges.push_back(quantizer->parameter());
    }
  }

  void list_norms() {
    trained_as_they_are = weights.size();
    for (const auto& norm : norms) {
      for (Parameter& parameter : norm->parameters()) weights.push_back(std::move(parameter));
      if (!norm->uses_batches()) continue;
      for (Parameter& each : norm->statistics()) statistics.push_back(std::move(each));
    }
  }

  QuantizerMap quantizers;
  std::vector<std::unique_ptr<KeptNorm>> norms;
  std::map<std::string, KeptNorm*> norm_of;  ///< by weight and bias
  std::size_t trained_as_they_are = 0;       ///< weights before those of `norms`
  std::vector<Parameter> statistics;
  bool is_channels_last;
  std::vector<std::string> block_outputs;
  std::unordered_map<std::string, int> slots;
  std::vector<std::string> input_names;
  std::vector<graph::ValueType> input_types;
  std::vector<const Quantizer*> input_quantizers;
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::vector<Constant> constants;
  std::vector<Step> steps;
  std::vector<Parameter> weights;
  std::vector<Parameter> ranges;
  Findings findings;
};

namespace {

/// One forward pass.
class Pass {
 public:
  Pass(std::size_t slots, Mode mode) : mode_(mode), values_(slots) {}

  void set(int slot, const torch::Tensor& value, const Quantizer* quantizer) {
    values_[static_cast<std::size_t>(slot)] = quantized(value, quantizer);
  }
  [[nodiscard]] const torch::Tensor& at(int slot) const {
    return values_[static_cast<std::size_t>(slot)];
  }

  void run(const Step& step, const std::set<int>& kept) {
    Values inputs;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const int slot = step.inputs[i];
      inputs.push_back(slot == kAbsent ? torch::Tensor() : quantized(at(slot), step.edges[i]));
    }
    Values results = apply(step, inputs);
    if (mode_ == Mode::kTraining && step.norm != nullptr && step.norm->uses_batches()) {
      results[0] = step.norm->normalized(results[0]);
    }
    for (std::size_t i = 0; i < step.outputs.size(); ++i) {
      if (step.outputs[i] != kAbsent) set(step.outputs[i], results.at(i), step.results[i]);
    }
    for (const int slot : step.last_reads) {
      if (!kept.contains(slot)) values_[static_cast<std::size_t>(slot)] = torch::Tensor();
    }
  }

 private:
  [[nodiscard]] torch::Tensor quantized(const torch::Tensor& value,
                                        const Quantizer* quantizer) const {
    if (quantizer == nullptr || mode_ == Mode::kFloat) return value;
    return quantizer->apply(value);
  }

  static Values apply(const Step& step, const Values& inputs) {
    const auto fail = [&](const std::string& reason) {
      throw Error(ErrorCode::kUnsupported, format("node {}: {}", step.label, reason));
    };
    Values results;
    try {
      results = step.apply(inputs);
    } catch (const c10::Error& error) {
      fail(first_line(error));
    } catch (const std::exception& error) {
      fail(error.what());
    }
    if (results.size() < step.outputs.size()) fail("it has more outputs than are supported");
    return results;
  }

  Mode mode_;
  std::vector<torch::Tensor> values_;
};

/// @throws Error(kInvalidData) when the tensor is not what the graph input takes
void check_input(const torch::Tensor& tensor, const std::string& name,
                 const graph::ValueType& type) {
  if (type.dtype != DType::kUndefined && tensor.scalar_type() != torch_type(type.dtype)) {
    throw Error(ErrorCode::kInvalidData,
                format("input '{}': got {}, expected {}", name,
                       torch::toString(tensor.scalar_type()), dtype_name(type.dtype)));
  }
  if (!type.shape) return;
  bool fits = tensor.dim() == static_cast<std::int64_t>(type.shape->size());
  for (std::size_t d = 0; fits && d < type.shape->size(); ++d) {
    const graph::Dim& dim = (*type.shape)[d];
    fits = !dim.is_fixed() || dim.value == tensor.size(static_cast<std::int64_t>(d));
  }
  if (fits) return;
  throw Error(ErrorCode::kInvalidData,
              format("input '{}': shape {} does not fit the model's", name,
                     shape_text(Shape(tensor.sizes().begin(), tensor.sizes().end()))));
}

}  // namespace

TrainableNetwork::TrainableNetwork(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrainableNetwork::~TrainableNetwork() = default;
TrainableNetwork::TrainableNetwork(TrainableNetwork&&) noexcept = default;
TrainableNetwork& TrainableNetwork::operator=(TrainableNetwork&&) noexcept = default;

TrainableNetwork TrainableNetwork::make(const Graph& graph, const quant::QuantPlan& plan,
                                        const quant::EncodingTable& encodings,
                                        const NetworkOptions& options) {
  return TrainableNetwork(std::make_unique<Impl>(graph, plan, encodings, options));
}

ForwardResult TrainableNetwork::forward(const std::vector<torch::Tensor>& inputs, Mode mode,
                                        const std::vector<std::string>& taps) const {
  if (inputs.size() != impl_->inputs.size()) {
    throw Error(ErrorCode::kInvalidData,
                format("{} inputs, expected {}", inputs.size(), impl_->inputs.size()));
  }
  std::set<int> kept;
  for (const std::string& tap : taps) {
    const auto slot = impl_->slots.find(tap);
    HEXQUANT_CHECK(slot != impl_->slots.end(), "no value '" + tap + "'");
    kept.insert(slot->second);
  }
  Pass pass(impl_->slots.size(), mode);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check_input(inputs[i], impl_->input_names[i], impl_->input_types[i]);
    pass.set(impl_->inputs[i], impl_->is_channels_last ? channels_last(inputs[i]) : inputs[i],
             impl_->input_quantizers[i]);
  }
  for (const Constant& constant : impl_->constants) {
    pass.set(constant.slot, constant.value(mode), constant.quantizer);
  }
  for (const Step& step : impl_->steps) pass.run(step, kept);
  ForwardResult result;
  for (const int slot : impl_->outputs) result.outputs.push_back(pass.at(slot));
  for (const std::string& tap : taps) result.taps.push_back(pass.at(impl_->slots.at(tap)));
  return result;
}

const std::vector<Parameter>& TrainableNetwork::weights() const noexcept {
  return impl_->weights;
}

const std::vector<Parameter>& TrainableNetwork::ranges() const noexcept {
  return impl_->ranges;
}

const std::vector<Parameter>& TrainableNetwork::statistics() const noexcept {
  return impl_->statistics;
}

void TrainableNetwork::begin_estimate() {
  for (const auto& norm : impl_->norms) norm->begin_estimate();
}

void TrainableNetwork::end_estimate(bool means_only) {
  for (const auto& norm : impl_->norms) norm->end_estimate(means_only);
}

void TrainableNetwork::project_ranges() {
  for (const auto& quantizer : impl_->quantizers.all()) quantizer->project();
}

std::vector<std::string> TrainableNetwork::block_outputs() const {
  return impl_->block_outputs;
}

std::optional<std::int64_t> TrainableNetwork::fixed_batch() const {
  for (const graph::ValueType& type : impl_->input_types) {
    if (type.shape && !type.shape->empty() && type.shape->front().is_fixed()) {
      return type.shape->front().value;
    }
  }
  return std::nullopt;
}

const Findings& TrainableNetwork::findings() const noexcept {
  return impl_->findings;
}

void TrainableNetwork::write_back(Graph& graph, quant::EncodingTable& encodings) const {
  impl_->quantizers.write(encodings);
  const auto put = [&](const std::string& name, const torch::Tensor& tensor) {
    const Tensor values = from_torch(tensor.detach());
    const Quantizer* quantizer = impl_->quantizers.of_value(name);
    graph.set_initializer(name, quantizer == nullptr ? values : quantizer->rounded(values));
  };
  for (std::size_t i = 0; i < impl_->trained_as_they_are; ++i) {
    put(impl_->weights[i].name, impl_->weights[i].tensor);
  }
  for (const auto& norm : impl_->norms) {
    put(norm->norm().weight, norm->folded_weight());
    put(norm->norm().bias, norm->folded_bias());
  }
}

}  // namespace hexquant::qat
