// Wall time and peak memory of the whole `quantize` job against the bare float forward pass over
// the same decoded samples, in one run.
//
//   bench_quantize MODEL DATA PREPROCESS [SAMPLES=256] [CSV]
//
// DATA is an image folder. Each job runs in a child process, so that its peak memory is its own.
// The result is checked (finite SQNR above a floor) before any time is printed.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "core/parallel.h"
#include "core/stopwatch.h"
#include "data/dataset.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "hexquant/quantize.h"
#include "pipeline/quantize_pipeline.h"
#include "runtime/session.h"

namespace hexquant {
namespace {

namespace fs = std::filesystem;

constexpr int kRepetitions = 2;
constexpr double kSqnrFloorDb = 10.0;  // below this the job is broken and its time means nothing

struct Arguments {
  std::string model;
  std::string data;
  std::string preprocess;
  std::int64_t samples = 256;
  std::string csv;
};

struct JobCost {
  double seconds = 0.0;
  double peak_mb = 0.0;
};

/// Runs `job` in a child process; wall time and peak resident memory of that process.
JobCost measure(const std::function<void()>& job) {
  Stopwatch watch;
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      job();
      std::_Exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "bench_quantize: %s\n", error.what());
      std::_Exit(1);
    }
  }
  int status = 0;
  rusage usage{};
  if (child < 0 || ::wait4(child, &status, 0, &usage) != child || status != 0) {
    throw Error(ErrorCode::kInternal, "the measured job failed");
  }
  return {watch.total_seconds(), static_cast<double>(usage.ru_maxrss) / 1024.0};
}

/// A labels.csv that lists the images of `folder` again and again until there are `count`.
fs::path repeated_list(const fs::path& folder, std::int64_t count, const fs::path& place) {
  std::vector<std::string> images;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".csv") {
      images.push_back(fs::absolute(entry.path()).string());
    }
  }
  std::sort(images.begin(), images.end());
  std::string text = "path,label\n";
  for (std::int64_t i = 0; i < count; ++i) {
    text += images[static_cast<std::size_t>(i) % images.size()] + ",0\n";
  }
  write_file(place / "repeated.csv", text);
  return place / "repeated.csv";
}

Recipe make_recipe(const Arguments& arguments, const std::string& observer, const fs::path& out) {
  Recipe recipe;
  recipe.model = arguments.model;
  recipe.data.sources = {arguments.data};
  recipe.data.preprocess = arguments.preprocess;
  recipe.data.samples = arguments.samples;
  recipe.observer = observer;
  recipe.output = out.string();
  return recipe;
}

/// Seconds of the bare float forward pass over samples decoded beforehand: the better of two
/// single-threaded inferences side by side and one inference on all threads.
double bare_forward_seconds(const Arguments& arguments, int threads) {
  const graph::Graph graph = formats::read_onnx(arguments.model);
  data::DataOptions options;
  options.sources = {arguments.data};
  options.preprocess = arguments.preprocess;
  options.samples = arguments.samples;
  const auto dataset = data::open_dataset(options, pipeline::model_inputs(graph));
  std::vector<data::Sample> samples;
  for (std::int64_t i = 0; i < dataset->size(); ++i) samples.push_back(dataset->load(i));
  double best = 1e30;
  for (const int inside : {1, threads}) {
    const runtime::Session session(graph, {.threads = inside});
    (void)session.run(samples.front());
    for (int repetition = 0; repetition < kRepetitions; ++repetition) {
      Stopwatch watch;
      parallel_for(
          static_cast<std::int64_t>(samples.size()), inside == 1 ? threads : 1,
          [&](std::int64_t i) { (void)session.run(samples[static_cast<std::size_t>(i)]); });
      best = std::min(best, watch.total_seconds());
    }
  }
  return best;
}

void check_result(const fs::path& out) {
  const Json sqnr = read_json(out / "report.json").at("summary").at("sqnr_db");
  if (!sqnr.is_number() || !(sqnr.get<double>() > kSqnrFloorDb)) {
    throw Error(ErrorCode::kInternal, "the quantized model is broken: nothing is timed");
  }
}

JobCost best_job(const Recipe& recipe, int threads) {
  JobCost best{1e30, 0.0};
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    const JobCost cost = measure([&] { (void)quantize(recipe, threads); });
    check_result(recipe.output);
    best.seconds = std::min(best.seconds, cost.seconds);
    best.peak_mb = std::max(best.peak_mb, cost.peak_mb);
  }
  return best;
}

int run(Arguments arguments) {
  const int threads = hardware_threads();
  std::string pattern = (fs::temp_directory_path() / "hexquant_bench.XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  std::string csv = "job,observer,samples,seconds,peak_mb\n";
  std::vector<std::pair<std::string, JobCost>> jobs;
  // Children first: a process that already ran inferences would lend them its memory.
  for (const char* observer : {"min-max", "percentile", "mse", "entropy", "sqnr"}) {
    jobs.emplace_back(observer,
                      best_job(make_recipe(arguments, observer, folder / observer), threads));
    csv += format("quantize,{},{},{:.4f},{:.1f}\n", observer, arguments.samples,
                  jobs.back().second.seconds, jobs.back().second.peak_mb);
  }
  Arguments many = arguments;
  many.samples = arguments.samples * 8;
  many.data = repeated_list(arguments.data, many.samples, folder).string();
  const JobCost large =
      measure([&] { (void)quantize(make_recipe(many, "mse", folder / "large"), threads); });
  csv += format("quantize,mse,{},{:.4f},{:.1f}\n", many.samples, large.seconds, large.peak_mb);
  const double bare = bare_forward_seconds(arguments, threads);
  csv += format("bare_forward,,{},{:.4f},\n", arguments.samples, bare);

  std::printf("bare float forward pass, %ld samples: %.2f s on %d threads\n",
              static_cast<long>(arguments.samples), bare, threads);
  for (const auto& [observer, cost] : jobs) {
    std::printf("quantize --observer %-10s  %.2f s  %.2f x bare  peak %.0f MB\n", observer.c_str(),
                cost.seconds, cost.seconds / bare, cost.peak_mb);
  }
  std::printf("quantize --observer mse, %ld samples: %.2f s, peak %.0f MB\n",
              static_cast<long>(many.samples), large.seconds, large.peak_mb);
  if (!arguments.csv.empty()) write_file(arguments.csv, csv);
  fs::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace hexquant

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bench_quantize MODEL DATA PREPROCESS [SAMPLES] [CSV]\n");
    return 2;
  }
  hexquant::Arguments arguments;
  arguments.model = argv[1];
  arguments.data = argv[2];
  arguments.preprocess = argv[3];
  if (argc > 4) arguments.samples = std::atoll(argv[4]);
  if (argc > 5) arguments.csv = argv[5];
  try {
    return hexquant::run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_quantize: %s\n", error.what());
    return 1;
  }
}
