#include "pipeline/analyze_model.h"

#include <algorithm>
#include <iterator>

#include "core/finding_list.h"
#include "core/stopwatch.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "passes/fix_input_shapes.h"
#include "passes/infer_shapes.h"
#include "passes/prepare.h"
#include "pipeline/htp_model.h"
#include "pipeline/quantized_structure.h"
#include "target/node_unit.h"

namespace hexquant::pipeline {
namespace {

/// The HTP needs fixed shapes. What cannot be guessed stays free, and what depends on it is not
/// analysed.
void fix_shapes(graph::Graph& graph, const std::map<std::string, Shape>& shapes,
                Findings& findings) {
  passes::fix_input_shapes(graph, shapes);
  try {
    fix_dimensions(graph, {});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    findings.push_back(
        {"dynamic-shape", Severity::kWarning, "", error.what(), "--input-shape NAME=1,3,224,224"});
  }
}

/// The graph as `quantize` would leave it.
graph::Graph quantized(graph::Graph graph, const AnalyzeRequest& request,
                       const target::Target& target, Findings& findings) {
  for (const passes::PassReport& report : passes::prepare(graph, {})) {
    append(findings, report.findings);
  }
  const quant::QuantPlan plan = plan::make_plan(graph, target, request.plan);
  append(findings, plan.findings);
  return quantized_structure(std::move(graph), plan);
}

}  // namespace

target::Target analysis_target(const AnalyzeRequest& request) {
  target::Target target = target::load_target(request.soc);
  for (const auto& [key, value] : request.soc_figures) {
    target::override_figure(target.soc, key, value);
  }
  return target;
}

AnalysisGraph analysis_graph(graph::Graph graph, const AnalyzeRequest& request,
                             const target::Target& target) {
  AnalysisGraph result;
  fix_shapes(graph, request.input_shapes, result.findings);
  result.was_float = !target::is_quantized(graph);
  if (result.was_float) {
    result.graph = quantized(std::move(graph), request, target, result.findings);
    return result;
  }
  append(result.findings, passes::infer_shapes(graph, {}).findings);
  graph.sort();
  result.graph = std::move(graph);
  return result;
}

AnalysisGraph analysis_graph(const AnalyzeRequest& request, const target::Target& target) {
  return analysis_graph(formats::read_onnx_outline(request.model), request, target);
}

Analysis analyze_graph(const graph::Graph& graph, const target::Target& target,
                       const perf::PredictOptions& options) {
  Analysis analysis;
  analysis.soc = target.soc;
  analysis.placement = target::predict_placement(target.rules, graph);
  analysis.workload = perf::make_workload(graph, analysis.placement);
  analysis.prediction = perf::predict(analysis.workload, target.soc, options);
  analysis.error = perf::model_error(target.soc);
  append(analysis.findings, analysis.placement.findings);
  append(analysis.findings, analysis.workload.findings);
  append(analysis.findings, analysis.prediction.findings);
  return analysis;
}

perf::Prediction predict_plan(const graph::Graph& prepared, const quant::QuantPlan& plan,
                              const target::Target& target, const perf::PredictOptions& options) {
  return analyze_graph(quantized_structure(prepared, plan), target, options).prediction;
}

Analysis analyze_model(const AnalyzeRequest& request) {
  Stopwatch watch;
  std::vector<std::pair<std::string, double>> seconds;
  const target::Target target = analysis_target(request);
  graph::Graph model = formats::read_onnx_outline(request.model);
  seconds.emplace_back("read", watch.lap_seconds());
  AnalysisGraph input = analysis_graph(std::move(model), request, target);
  seconds.emplace_back("prepare", watch.lap_seconds());
  Analysis analysis = analyze_graph(input.graph, target, request.predict);
  seconds.emplace_back("analyze", watch.lap_seconds());
  analysis.was_float = input.was_float;
  analysis.findings.insert(analysis.findings.begin(),
                           std::make_move_iterator(input.findings.begin()),
                           std::make_move_iterator(input.findings.end()));
  analysis.seconds = std::move(seconds);
  return analysis;
}

}  // namespace hexquant::pipeline
