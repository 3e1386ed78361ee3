#include "pipeline/optimize_cost.h"

#include <algorithm>
#include <set>
#include <utility>

#include "calibrate/calibrator.h"
#include "calibrate/encode_activations.h"
#include "core/format.h"
#include "core/scratch_directory.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "passes/infer_shapes.h"
#include "pipeline/htp_model.h"
#include "pipeline/kept_samples.h"
#include "plan/plan.h"
#include "quant/insert_qdq.h"
#include "target/node_unit.h"
#include "weights/quantize_weights.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using graph::Node;

/// Seconds after which the vendor's compiler is ended: a model with float layers takes minutes.
constexpr double kEstimateSeconds = 300.0;

/// Nothing is moved, or nothing depends on data.
bool is_free(const Graph& graph, const Node& node) {
  static const std::set<std::string> kFree = {"Reshape",  "Flatten",        "Squeeze", "Unsqueeze",
                                              "Identity", "Constant",       "Shape",   "Size",
                                              "Dropout",  "ConstantOfShape"};
  if (target::is_pair_part(node) || kFree.contains(node.op_type())) return true;
  return std::all_of(node.inputs().begin(), node.inputs().end(), [&](const std::string& input) {
    return input.empty() || graph.find_initializer(input) != nullptr;
  });
}

/// Bytes of a value as the NPU keeps it: numbers in 8 bits, integers as they are.
std::int64_t stored_bytes(const Graph& graph, const std::string& value) {
  DType dtype = DType::kUndefined;
  std::int64_t elements = 0;
  if (const Tensor* constant = graph.find_initializer(value)) {
    dtype = constant->dtype();
    elements = constant->size();
  } else if (const graph::ValueType* type = graph.find_type(value)) {
    const auto shape = type->fixed_shape();
    if (!shape) return 0;
    dtype = type->dtype;
    elements = element_count(*shape);
  }
  if (dtype == DType::kUndefined || is_floating(dtype)) return elements;
  return (elements * dtype_bits(dtype) + 7) / 8;
}

std::int64_t input_bytes(const Graph& graph, const std::string& value) {
  // Weights of a QDQ model lie behind a DequantizeLinear.
  const Node* producer = graph.producer(value);
  const bool is_constant = producer != nullptr && target::is_dequantize(*producer) &&
                           graph.find_initializer(producer->input(0)) != nullptr;
  return stored_bytes(graph, is_constant ? producer->input(0) : value);
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_fixed_inputs(const Graph& graph) {
  return std::all_of(graph.inputs().begin(), graph.inputs().end(), [&](const std::string& input) {
    const graph::ValueType* type = graph.find_type(input);
    return type != nullptr && type->fixed_shape();
  });
}

/// Constants of Constant nodes are initializers everywhere, or no weight would be one.
void keep_constants(Graph& graph) {
  for (const Node* node : graph.node_list()) {
    if (!node->is("Constant") || graph.is_output(node->output())) continue;
    const auto* value = node->find_attribute("value");
    const Tensor* tensor = value == nullptr ? nullptr : std::get_if<Tensor>(value);
    if (tensor == nullptr) continue;
    const Tensor kept = *tensor;
    const std::string name = node->output();
    graph.erase_node(*node);
    graph.erase_type(name);
    graph.add_initializer(name, kept);
  }
}

}  // namespace

std::vector<std::string> fused_values(const Graph& graph, const target::Rules& rules) {
  std::vector<std::string> values;
  for (const Node& node : graph.nodes()) {
    const Node* reader = graph.single_consumer(node.output());
    if (reader == nullptr || !node.domain().empty() || !reader->domain().empty()) continue;
    for (const target::FusionRule& rule : rules.fused) {
      if (!contains(rule.heads, node.op_type()) || !contains(rule.tails, reader->op_type())) {
        continue;
      }
      const bool needs_constant = rule.when == "constant_bias";
      const bool has_constant = graph.find_initializer(reader->input(0)) != nullptr ||
                                graph.find_initializer(reader->input(1)) != nullptr;
      if (needs_constant && !has_constant) continue;
      values.push_back(node.output());
      break;
    }
  }
  return values;
}

std::int64_t traffic_bytes(const Graph& graph, const target::Rules* fusions) {
  std::vector<std::string> names;
  if (fusions != nullptr) names = fused_values(graph, *fusions);
  const std::set<std::string> inside(names.begin(), names.end());
  std::int64_t bytes = 0;
  for (const Node& node : graph.nodes()) {
    if (is_free(graph, node)) continue;
    for (const std::string& input : node.inputs()) {
      if (!input.empty() && !inside.contains(input)) bytes += input_bytes(graph, input);
    }
    for (const std::string& output : node.outputs()) {
      if (!output.empty() && !inside.contains(output)) bytes += stored_bytes(graph, output);
    }
  }
  return bytes;
}

Graph quantize_as_it_stands(const Graph& given, const target::Target& target,
                            const std::vector<runtime::Feeds>& samples, int threads) {
  Graph graph = given;
  const KeptSamples dataset(samples);
  const quant::QuantPlan plan = plan::make_plan(graph, target, {});
  const quant::Statistics statistics = calibrate::calibrate(
      graph, dataset, calibrate::taps_for_plan(graph, plan), {}, {threads, 0}, silent_progress());
  Findings ignored;
  quant::EncodingTable encodings =
      calibrate::encode_activations(graph, plan, statistics, {}, ignored);
  (void)weights::quantize_weights(graph, plan, encodings, {}, silent_progress());
  (void)weights::quantize_biases(graph, plan, encodings);
  return quant::insert_qdq(graph, encodings);
}

CostMeter::CostMeter(target::Target target, bool estimate, PredictCost predict, int threads,
                     ProgressSink& progress)
    : target_(std::move(target)),
      estimate_(estimate),
      predict_(std::move(predict)),
      threads_(threads),
      progress_(progress) {}

void CostMeter::note(Finding finding) {
  const bool known = std::any_of(findings_.begin(), findings_.end(), [&](const Finding& other) {
    return other.id == finding.id && other.reason == finding.reason;
  });
  if (!known) findings_.push_back(std::move(finding));
}

ModelCost CostMeter::measure(const Graph& given, const std::vector<runtime::Feeds>& samples) {
  ModelCost cost;
  Graph graph = given;
  keep_constants(graph);
  graph.sort();
  if (!has_fixed_inputs(graph)) fix_dimensions(graph, shapes_of(samples.front()));
  (void)passes::complete_shapes(graph, samples.front());
  cost.traffic_bytes = traffic_bytes(graph, nullptr);
  cost.fused_traffic_bytes = traffic_bytes(graph, &target_.rules);
  if (!estimate_ && !predict_) return cost;
  try {
    if (!target::is_quantized(graph))
      graph = quantize_as_it_stands(graph, target_, samples, threads_);
    if (predict_) {
      Graph typed = graph;
      (void)passes::complete_shapes(typed, samples.front());
      if (const auto predicted = predict_(typed)) {
        cost.predicted_us = predicted->first;
        cost.predicted_ddr_bytes = predicted->second;
      }
    }
    if (estimate_) estimate(graph, cost);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kMissingComponent) {
      throw;
    }
    note({"cost-unknown", Severity::kInfo, "", error.what(), ""});
  }
  return cost;
}

void CostMeter::estimate(const Graph& quantized, ModelCost& cost) {
  const ScratchDirectory scratch;
  CompileRequest request;
  request.model = (scratch.path() / "model.onnx").string();
  formats::write_onnx(quantized, request.model);
  request.htp.soc = target_.soc.name;
  request.htp.limits.seconds = kEstimateSeconds;
  // What the application feeds is converted where the model runs: that is what is compared.
  request.io_on_device = true;
  request.estimate = true;
  const CompileResult result = compile_model(request, progress_);
  if (result.failure) {
    note({"vendor-estimate-missing", Severity::kWarning, "",
          format("the vendor's compiler gave nothing for a form of the model: {}",
                 result.failure->reason),
          ""});
    return;
  }
  if (!result.estimate || !result.estimate->is_available()) {
    for (const Finding& finding : result.estimate ? result.estimate->findings : Findings()) {
      note(finding);
    }
    return;
  }
  const profiling::DdrBytes bytes = result.estimate->ddr_bytes();
  cost.vendor_us = result.estimate->time_us().value;
  cost.vendor_ddr_bytes = bytes.read() + bytes.written();
}

}  // namespace hexquant::pipeline
