#include "qat/losses.h"

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::qat {
namespace {

bool is_float_output(const graph::Graph& graph, const std::string& name) {
  const graph::ValueType* type = graph.find_type(name);
  return type != nullptr && type->dtype == DType::kFloat32;
}

std::size_t rank_of(const graph::Graph& graph, const std::string& name) {
  const graph::ValueType* type = graph.find_type(name);
  return type != nullptr && type->shape ? type->shape->size() : 0;
}

/// The values that become the output by a Softmax, where one makes it.
std::optional<std::string> logits_of(const graph::Graph& graph, const std::string& output) {
  const graph::Node* producer = graph.producer(output);
  if (producer == nullptr || producer->op_type() != "Softmax") return std::nullopt;
  return producer->inputs().front();
}

torch::Tensor as_rows(const torch::Tensor& values) {
  return values.reshape({-1, values.size(-1)});
}

}  // namespace

torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels) {
  return torch::nn::functional::cross_entropy(logits.flatten(1), labels);
}

torch::Tensor kl_divergence(const torch::Tensor& student, const torch::Tensor& teacher) {
  const torch::Tensor expected = torch::log_softmax(as_rows(teacher), 1);
  const torch::Tensor given = torch::log_softmax(as_rows(student), 1);
  return (expected.exp() * (expected - given)).sum(1).mean();
}

torch::Tensor relative_error(const torch::Tensor& student, const torch::Tensor& teacher) {
  constexpr double kLeast = 1e-12;  // a constant teacher has no energy to relate to
  const torch::Tensor energy = (teacher - teacher.mean()).square().sum().clamp_min(kLeast);
  return (student - teacher).square().sum() / energy;
}

LossFunction::LossFunction(const graph::Graph& graph, const TrainOptions& options,
                           const TrainableNetwork& student)
    : options_(options) {
  const std::vector<std::string>& outputs = graph.outputs();
  std::optional<std::size_t> classes;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!is_float_output(graph, outputs[i])) continue;
    float_outputs_.push_back(i);
    const std::size_t rank = rank_of(graph, outputs[i]);
    if (!classes && (rank == 2 || rank == 4)) classes = i;
  }
  if (float_outputs_.empty() || (needs_labels() && !classes)) {
    throw Error(
        ErrorCode::kInvalidArgument,
        format("loss: the model's outputs ({}) hold no {}", join(outputs, ", "),
               needs_labels() ? "row of class scores a sample for labels to be compared with"
                              : "floating-point values"));
  }
  scored_output_ = needs_labels() ? *classes : float_outputs_.front();
  if (const auto name = logits_of(graph, outputs[scored_output_])) {
    logits_tap_ = taps_.size();
    taps_.push_back(*name);
  }
  first_block_tap_ = taps_.size();
  if (options_.block_loss > 0.0) {
    for (const std::string& name : student.block_outputs()) taps_.push_back(name);
  }
}

const torch::Tensor& LossFunction::logits(const ForwardResult& result) const {
  return logits_tap_ ? result.taps[*logits_tap_] : result.outputs[scored_output_];
}

torch::Tensor LossFunction::distillation(const ForwardResult& student,
                                         const ForwardResult& teacher) const {
  if (options_.distance == Distance::kKl) return kl_divergence(logits(student), logits(teacher));
  torch::Tensor sum = torch::zeros({});
  for (const std::size_t output : float_outputs_) {
    sum = sum + relative_error(student.outputs[output], teacher.outputs[output]);
  }
  return sum / static_cast<double>(float_outputs_.size());
}

torch::Tensor LossFunction::operator()(const ForwardResult& student,
                                       const std::optional<ForwardResult>& teacher,
                                       const torch::Tensor& labels) const {
  torch::Tensor loss = torch::zeros({});
  const double weight = options_.loss == Loss::kBoth ? options_.distillation_weight : 1.0;
  if (options_.loss != Loss::kCrossEntropy) {
    loss = loss + weight * distillation(student, *teacher);
  }
  if (needs_labels()) {
    const double share = options_.loss == Loss::kBoth ? 1.0 - weight : 1.0;
    loss = loss + share * cross_entropy(logits(student), labels);
  }
  const std::size_t blocks = taps_.size() - first_block_tap_;
  for (std::size_t i = first_block_tap_; i < taps_.size(); ++i) {
    loss = loss + options_.block_loss / static_cast<double>(blocks) *
                      relative_error(student.taps[i], teacher->taps[i]);
  }
  return loss;
}

}  // namespace hexquant::qat
