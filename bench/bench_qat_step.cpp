// What one step of quantization-aware training costs, against the same step of the float network.
//
//   bench_qat_step MODEL DATA PREPROCESS [BATCH=64] [WEIGHT_BITS=4] [THREADS=1] [ROUNDS=7] [CSV]
//
// A step is forward, mean squared error against the float outputs, backward, and momentum SGD over
// everything that is trained. Float and quantized steps of the same network take turns; the least
// times count. Nothing is timed before the network's float outputs are those of ONNX Runtime. Times
// are CPU seconds of the process, so that other work disturbs less; wall time is shown beside them.
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "core/peak_memory.h"
#include "core/stopwatch.h"
#include "data/dataset.h"
#include "hexquant/error.h"
#include "least_cost.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "qat/freed_memory.h"
#include "qat/torch_tensor.h"
#include "qat/trainable_network.h"
#include "runtime/session.h"

namespace hexquant {
namespace {

/// Float arithmetic in another order over up to 80 layers, relative to the largest output.
constexpr double kTolerance = 1e-3;

struct Arguments {
  Recipe recipe;
  std::int64_t batch = 64;
  int threads = 1;
  int rounds = 7;
  std::string csv;
};

Arguments parse(int argc, char** argv) {
  if (argc < 4) {
    throw Error(ErrorCode::kInvalidArgument,
                "usage: bench_qat_step MODEL DATA PREPROCESS [BATCH] [WEIGHT_BITS] [THREADS] "
                "[ROUNDS] [CSV]");
  }
  const auto number = [&](int index, int fallback) {
    return argc > index ? std::atoi(argv[index]) : fallback;
  };
  Arguments arguments;
  arguments.recipe.output = "unused";
  arguments.recipe.model = argv[1];
  arguments.recipe.data.sources = {argv[2]};
  arguments.recipe.data.preprocess = argv[3];
  arguments.batch = number(4, 64);
  arguments.recipe.weight_bits = number(5, 4);
  arguments.recipe.weight_bits_everywhere = arguments.recipe.weight_bits == 4;
  arguments.recipe.data.samples = std::max<std::int64_t>(arguments.batch, 16);
  arguments.threads = number(6, 1);
  arguments.rounds = number(7, 7);
  if (argc > 8) arguments.csv = argv[8];
  return arguments;
}

using Batch = std::vector<torch::Tensor>;  ///< one tensor for each input of the model

/// Samples of the data as one batch.
Batch load_batch(const data::Dataset& dataset, const std::vector<std::string>& inputs,
                 std::int64_t size) {
  Batch batch;
  for (const std::string& input : inputs) {
    std::vector<torch::Tensor> rows;
    for (std::int64_t i = 0; i < size; ++i) {
      rows.push_back(qat::to_torch(dataset.load(i).at(input)));
    }
    batch.push_back(torch::cat(rows));
  }
  return batch;
}

/// @return the float outputs of the batch
torch::Tensor check_outputs(const qat::TrainableNetwork& network, const graph::Graph& graph,
                            const Batch& batch) {
  const torch::NoGradGuard no_gradient;
  const torch::Tensor outputs = network.forward(batch, qat::Mode::kFloat).outputs.front();
  const runtime::Session session(graph, {});
  runtime::Feeds feeds;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    feeds.emplace(graph.inputs()[i], qat::from_torch(batch[i].slice(0, 0, 1)));
  }
  const torch::Tensor expected = qat::to_torch(session.run(feeds).front());
  const torch::Tensor first = outputs.slice(0, 0, 1);
  const double difference = (first - expected).abs().max().item<double>();
  if (!(difference <= kTolerance * expected.abs().max().item<double>())) {
    throw Error(ErrorCode::kInternal, format("outputs differ by {}", difference));
  }
  return outputs;
}

/// One training step.
class Step {
 public:
  Step(qat::TrainableNetwork& network, Batch batch, torch::Tensor target, qat::Mode mode)
      : network_(network),
        batch_(std::move(batch)),
        target_(std::move(target)),
        mode_(mode),
        optimizer_(trained(network, mode), torch::optim::SGDOptions(1e-6).momentum(0.9)) {}

  void run() {
    optimizer_.zero_grad();
    const torch::Tensor output = network_.forward(batch_, mode_).outputs.front();
    torch::mse_loss(output, target_).backward();
    optimizer_.step();
    if (mode_ == qat::Mode::kQuantized) network_.project_ranges();
  }

 private:
  static std::vector<torch::Tensor> trained(const qat::TrainableNetwork& network, qat::Mode mode) {
    std::vector<torch::Tensor> tensors;
    for (const qat::Parameter& parameter : network.weights()) tensors.push_back(parameter.tensor);
    if (mode == qat::Mode::kFloat) return tensors;
    for (const qat::Parameter& parameter : network.ranges()) tensors.push_back(parameter.tensor);
    return tensors;
  }

  qat::TrainableNetwork& network_;
  Batch batch_;
  torch::Tensor target_;
  qat::Mode mode_;
  torch::optim::SGD optimizer_;
};

int run(const Arguments& arguments) {
  torch::manual_seed(0);
  at::set_num_threads(arguments.threads);
  qat::keep_freed_memory();
  const pipeline::QuantizeOptions options =
      pipeline::resolve_recipe(arguments.recipe, arguments.threads);
  const target::Target target = target::load_target(arguments.recipe.soc);
  const pipeline::QuantizedModel model =
      pipeline::run_stages(arguments.recipe, options, target, arguments.threads, silent_progress());
  const auto dataset = data::open_dataset(options.data, pipeline::model_inputs(model.prepared));
  auto network = qat::TrainableNetwork::make(model.weights_on_grid, model.plan, model.encodings);
  const Batch batch = load_batch(*dataset, model.prepared.inputs(), arguments.batch);
  const torch::Tensor outputs = check_outputs(network, model.weights_on_grid, batch);

  Step exact(network, batch, outputs, qat::Mode::kFloat);
  Step quantized(network, batch, outputs, qat::Mode::kQuantized);
  exact.run();
  const std::int64_t float_bytes = peak_memory_bytes();
  quantized.run();
  const std::int64_t quantized_bytes = peak_memory_bytes();
  LeastCost float_times;
  LeastCost quantized_times;
  for (int round = 0; round < arguments.rounds; ++round) {
    float_times.time([&] { exact.run(); });
    quantized_times.time([&] { quantized.run(); });
  }
  const std::string text = format(
      "model,batch,threads,float_cpu_ms,quantized_cpu_ms,cpu_ratio,float_wall_ms,"
      "quantized_wall_ms,wall_ratio,float_peak_mib,quantized_peak_mib\n"
      "{},{},{},{:.1f},{:.1f},{:.3f},{:.1f},{:.1f},{:.3f},{},{}\n",
      std::filesystem::path(arguments.recipe.model).stem().string(), arguments.batch,
      arguments.threads, 1e3 * float_times.cpu_seconds, 1e3 * quantized_times.cpu_seconds,
      quantized_times.cpu_seconds / float_times.cpu_seconds, 1e3 * float_times.wall_seconds,
      1e3 * quantized_times.wall_seconds, quantized_times.wall_seconds / float_times.wall_seconds,
      float_bytes >> 20, quantized_bytes >> 20);
  std::printf("%s", text.c_str());
  if (!arguments.csv.empty()) write_file(arguments.csv, text);
  return 0;
}

}  // namespace
}  // namespace hexquant

int main(int argc, char** argv) {
  try {
    return hexquant::run(hexquant::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_qat_step: %s\n", error.what());
    return 1;
  }
}
