// What the worker process costs over calling the vendor's provider directly: the provider's own
// time of 100 inferences is measured inside the worker, the whole time here.
//
// usage: bench_htp_worker MODEL.onnx [SOC_MODEL] [INFERENCES]
// MODEL has fixed shapes; inputs are zeros. Exit status 1 when the overhead is 5 % or more.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "core/stopwatch.h"
#include "runtime/htp/htp_worker_client.h"

namespace {

constexpr double kLargestOverhead = 0.05;

hexquant::runtime::Feeds zeros(const hexquant::runtime::HtpWorker& worker) {
  hexquant::runtime::Feeds feeds;
  for (const auto& input : worker.inputs()) {
    hexquant::Shape shape;
    for (const auto& dim : input.shape) shape.push_back(dim.value);
    feeds[input.name] = hexquant::Tensor(input.dtype, shape);
  }
  return feeds;
}

int measure(const std::string& model, int soc_model, int inferences) {
  namespace runtime = hexquant::runtime;
  runtime::HtpOptions options;
  options.soc_model = soc_model;
  options.vtcm_mb = 8;
  runtime::HtpWorker worker(runtime::require_htp_installation(), model, options);
  if (worker.failure()) {
    std::fprintf(stderr, "%s\n", worker.failure()->reason.c_str());
    return 2;
  }
  const runtime::Feeds feeds = zeros(worker);
  const auto first = worker.run(feeds);
  const double before_seconds = worker.provider_seconds();
  const hexquant::Stopwatch elapsed;
  for (int i = 0; i < inferences; ++i) {
    if (worker.run(feeds) != first) {
      std::fprintf(stderr, "run %d gives another result\n", i);
      return 1;
    }
  }
  const double seconds = elapsed.total_seconds();
  const double provider_seconds = worker.provider_seconds() - before_seconds;
  const double overhead = seconds / provider_seconds - 1.0;
  std::printf(
      "%s: %d inferences, open %.2f s, provider %.3f s, with the worker %.3f s, "
      "overhead %.2f %%\n",
      model.c_str(), inferences, worker.open_seconds(), provider_seconds, seconds,
      100.0 * overhead);
  return overhead < kLargestOverhead ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: bench_htp_worker MODEL.onnx [SOC_MODEL] [INFERENCES]\n");
    return 2;
  }
  try {
    return measure(argv[1], argc > 2 ? std::atoi(argv[2]) : 57,
                   argc > 3 ? std::atoi(argv[3]) : 100);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_htp_worker: %s\n", error.what());
    return 3;
  }
}
