// CPU time of what `analyze` does with a model, against its limits: a graph of 5000 nodes, and
// models that are given.
//
//   bench_analyze [MODEL.onnx ...]
//
// Each result is checked before its time is printed. Exit status 1 when a limit is missed: 0.5 s
// for the large graph, 0.05 s for each model. Loading the program's libraries is not included.
#include <cstdio>
#include <string>

#include "core/format.h"
#include "core/scratch_directory.h"
#include "formats/onnx/onnx_io.h"
#include "graph/graph.h"
#include "hexquant/error.h"
#include "least_cost.h"
#include "pipeline/analyze_model.h"

namespace {

using namespace hexquant;

constexpr int kRepetitions = 5;
constexpr int kLayers = 2500;
constexpr double kLargeGraphSeconds = 0.5;
constexpr double kModelSeconds = 0.05;

/// Conv + Relu, `layers` times.
graph::Graph conv_relu_chain(int layers) {
  graph::Graph graph;
  graph.opsets[""] = 17;
  graph.add_input("x",
                  {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {32, ""}, {8, ""}, {8, ""}}});
  std::string value = "x";
  for (int i = 0; i < layers; ++i) {
    const std::string weight = format("w{}", i);
    const std::string sum = format("c{}", i);
    Tensor weights(DType::kFloat32, {32, 32, 1, 1});
    for (float& element : weights.mutable_data<float>()) element = 0.01F;
    graph.add_initializer(weight, std::move(weights));
    graph.add_node({"Conv", {value, weight}, {sum}});
    value = format("r{}", i);
    graph.add_node({"Relu", {sum}, {value}});
  }
  graph.add_output(value);
  return graph;
}

void check_analysis(const pipeline::AnalyzeRequest& request, std::size_t least_operations) {
  const pipeline::Analysis analysis = pipeline::analyze_model(request);
  if (analysis.workload.operations.size() < least_operations ||
      !(analysis.prediction.time_us.value > 0.0)) {
    throw Error(ErrorCode::kInternal, request.model + ": the analysis is not complete");
  }
}

/// @return true when the limit is kept
bool report(const std::string& model, std::size_t least_operations, double limit_seconds) {
  pipeline::AnalyzeRequest request;
  request.model = model;
  const double best =
      measure(kRepetitions, [&] { check_analysis(request, least_operations); }).cpu_seconds;
  std::printf("%-50s %8.3f s CPU, limit %.3f\n", model.c_str(), best, limit_seconds);
  return best <= limit_seconds;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const ScratchDirectory scratch;
    const std::string large = (scratch.path() / "nodes5000.onnx").string();
    formats::write_onnx(conv_relu_chain(kLayers), large);
    bool kept = report(large, kLayers, kLargeGraphSeconds);
    for (int i = 1; i < argc; ++i) kept = report(argv[i], 1, kModelSeconds) && kept;
    return kept ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_analyze: %s\n", error.what());
    return 2;
  }
}
