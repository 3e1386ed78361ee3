#include <vector>

#include "core/format.h"
#include "core/scratch_directory.h"
#include "core/stopwatch.h"
#include "formats/onnx/onnx_io.h"
#include "graph/graph.h"
#include "hexquant/error.h"
#include "pipeline/htp_setup.h"
#include "runtime/htp/htp_worker_client.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

constexpr double kTimeLimit_s = 120.0;
constexpr const char* kSoc = "SM8650";
constexpr float kStep = 0.5F;
constexpr std::uint8_t kZeroPoint = 128;

graph::ValueType row_of_four(DType dtype) {
  return {dtype, std::vector<graph::Dim>{{1, ""}, {4, ""}}};
}

void add(graph::Graph& graph, const char* op_type, std::vector<std::string> inputs,
         const char* output, DType dtype) {
  graph.set_type(output, row_of_four(dtype));
  graph.add_node({op_type, std::move(inputs), {output}, {}, output, ""});
}

/// x -> uint8 Q/DQ -> Relu -> uint8 Q/DQ -> y: one integer operation for the NPU.
graph::Graph tiny_model() {
  graph::Graph graph;
  graph.opsets[""] = 13;
  graph.add_input("x", row_of_four(DType::kFloat32));
  graph.add_initializer("step", Tensor::scalar<float>(kStep));
  graph.add_initializer("zero", Tensor::scalar<std::uint8_t>(kZeroPoint));
  add(graph, "QuantizeLinear", {"x", "step", "zero"}, "x_codes", DType::kUInt8);
  add(graph, "DequantizeLinear", {"x_codes", "step", "zero"}, "x_values", DType::kFloat32);
  add(graph, "Relu", {"x_values"}, "relu", DType::kFloat32);
  add(graph, "QuantizeLinear", {"relu", "step", "zero"}, "y_codes", DType::kUInt8);
  add(graph, "DequantizeLinear", {"y_codes", "step", "zero"}, "y", DType::kFloat32);
  graph.add_output("y");
  return graph;
}

/// The last lines of a log on one line.
std::string tail(const std::string& log) {
  constexpr std::size_t kShown = 300;
  std::string text = log.size() > kShown ? log.substr(log.size() - kShown) : log;
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text;
}

/// Runs the model that `worker` has opened. @return what is wrong; empty when nothing is
std::string wrong_result(runtime::HtpWorker& worker) {
  const Tensor x = Tensor::from<float>({1, 4}, {-2.0F, 0.0F, 3.5F, 20.0F});
  const Tensor expected = Tensor::from<float>({1, 4}, {0.0F, 0.0F, 3.5F, 20.0F});
  const std::vector<Tensor> outputs = worker.run({{"x", x}});
  return outputs.size() == 1 && outputs[0] == expected ? "" : "a Relu gives wrong values";
}

}  // namespace

HtpCheck check_htp(const runtime::HtpInstallation& installation, ProgressSink& progress) {
  const ScratchDirectory scratch;
  const std::filesystem::path model = scratch.path() / "model.onnx";
  formats::write_onnx(tiny_model(), model);
  const target::Soc soc = target::load_target(kSoc).soc;
  runtime::HtpOptions options;
  options.soc_model = soc.soc_model;
  options.vtcm_mb = static_cast<int>(soc.vtcm_max_mb.value.value_or(0.0));
  options.cpu_fallback = false;

  const Stopwatch elapsed;
  HtpCheck check;
  runtime::HtpWorker worker(installation, model, options, {.seconds = kTimeLimit_s}, progress);
  if (worker.failure()) {
    check.reason = format("{}: {}", runtime::htp_failure_name(worker.failure()->kind),
                          worker.failure()->reason);
    if (worker.failure()->kind == runtime::HtpFailureKind::kCrashed) {
      check.reason += ": " + tail(worker.log());
    }
  } else {
    try {
      check.reason = wrong_result(worker);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kCancelled) throw;
      check.reason = error.what();
    }
  }
  check.works = check.reason.empty();
  check.seconds = elapsed.total_seconds();
  return check;
}

}  // namespace hexquant::pipeline
