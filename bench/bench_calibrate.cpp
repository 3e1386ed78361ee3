// What calibration costs: the counting kernels against reading memory, the observers, and the one
// pass over the data against the bare float forward pass, step by step.
//
//   bench_calibrate [MODEL DATA PREPROCESS] [SAMPLES=256] [CSV]
//
// Without arguments, or with only SAMPLES and CSV, MODEL and DATA are EfficientNet-Lite0 and the
// ImageNet photographs below the folder HEXQUANT_ASSETS; without that variable too, only kernels
// and observers are measured. Ranges are checked against a plain run before anything is timed.
// Times are CPU seconds of the whole process, so that other work on the machine disturbs less;
// wall time is shown beside them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/calibrator.h"
#include "calibrate/encode_activations.h"
#include "calibrate/observer.h"
#include "calibrate/value_accumulator.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/parallel.h"
#include "data/dataset.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "least_cost.h"
#include "passes/prepare.h"
#include "pipeline/quantize_pipeline.h"
#include "plan/plan.h"
#include "runtime/session.h"
#include "runtime/tap_session.h"
#include "target/target.h"

namespace hexquant {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string model;
  std::string data;
  std::string preprocess;
  std::int64_t samples = 256;
  std::string csv;
};

/// Collects lines for the terminal and for the CSV file.
class Results {
 public:
  void kernel(const std::string& name, double ns_per_element) {
    std::printf("%-44s %6.3f ns/element\n", name.c_str(), ns_per_element);
    csv_ += format("{},{:.4f},ns_per_element,\n", name, ns_per_element);
  }
  void observer(const std::string& name, double ms) {
    std::printf("%-44s %6.3f ms/tensor\n", name.c_str(), ms);
    csv_ += format("{},{:.4f},ms_per_tensor,\n", name, ms);
  }
  void pass(const std::string& name, const LeastCost& cost) {
    if (!(bare_cpu_seconds_ > 0.0)) bare_cpu_seconds_ = cost.cpu_seconds;
    const double ratio = cost.cpu_seconds / bare_cpu_seconds_;
    std::printf("%-44s %6.2f s CPU  %6.2f s wall  %5.2f x bare (CPU)\n", name.c_str(),
                cost.cpu_seconds, cost.wall_seconds, ratio);
    csv_ += format("{},{:.4f},cpu_seconds,{:.4f}\n", name, cost.cpu_seconds, cost.wall_seconds);
  }
  [[nodiscard]] const std::string& csv() const { return csv_; }

 private:
  double bare_cpu_seconds_ = 0.0;
  std::string csv_ = "what,value,unit,wall_seconds\n";
};

std::vector<float> activations(std::size_t count, bool relu6) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) {
    value = normal(random);
    if (relu6) value = std::clamp(2.0F * value, 0.0F, 6.0F);
  }
  return values;
}

void measure_kernels(Results& results) {
  using namespace calibrate;
  constexpr std::size_t kElements = 1 << 20;  // 4 MB: beyond L2, as large activations are
  constexpr int kRepetitions = 30;
  const auto scratch = std::make_unique<CountScratch>();
  std::vector<const ScanKernels*> kernels = {&scalar_scan_kernels()};
  if (cpu_has_avx2()) kernels.push_back(&avx2_scan_kernels());
  if (cpu_has_avx512()) kernels.push_back(&avx512_scan_kernels());
  const auto per_element = [&](const std::function<void()>& work) {
    return measure(kRepetitions, work).cpu_seconds / kElements * 1e9;
  };
  for (const bool relu6 : {false, true}) {
    const std::vector<float> values = activations(kElements, relu6);
    const std::string kind = relu6 ? "relu6" : "normal";
    for (const ScanKernels* kernel : kernels) {
      ValueAccumulator range(false, *kernel);
      ValueAccumulator histogram(true, *kernel);
      results.kernel(format("{} min-max, {}", kernel->name, kind),
                     per_element([&] { range.add(values.data(), values.size(), *scratch); }));
      results.kernel(format("{} histogram, {}", kernel->name, kind),
                     per_element([&] { histogram.add(values.data(), values.size(), *scratch); }));
    }
  }
  const std::vector<float> values = activations(kElements, false);
  std::vector<float> copy(kElements);
  results.kernel("copy (memory bound)",
                 per_element([&] { std::copy(values.begin(), values.end(), copy.begin()); }));
}

void measure_observers(Results& results) {
  using namespace calibrate;
  const auto scratch = std::make_unique<CountScratch>();
  const std::vector<float> values = activations(1 << 18, false);
  ValueAccumulator accumulator(true);
  accumulator.add(values.data(), values.size(), *scratch);
  const quant::ValueStatistics statistics = accumulator.finish();
  for (const auto kind : {ObserverKind::kMinMax, ObserverKind::kPercentile, ObserverKind::kMse,
                          ObserverKind::kEntropy, ObserverKind::kSqnr}) {
    for (const int bits : {4, 8, 16}) {
      const LeastCost cost = measure(20, [&] {
        (void)choose_range(statistics, {kind, 99.99}, bits, false);
      });
      results.observer(format("{}, {} bits", observer_name(kind), bits), cost.cpu_seconds * 1e3);
    }
  }
}

/// Samples decoded beforehand.
class DecodedDataset final : public data::Dataset {
 public:
  explicit DecodedDataset(const data::Dataset& source) {
    for (std::int64_t i = 0; i < source.size(); ++i) samples_.push_back(source.load(i));
  }
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(samples_.size());
  }
  [[nodiscard]] data::Sample load(std::int64_t index) const override {
    return samples_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] std::string describe(std::int64_t index) const override {
    return "sample " + std::to_string(index);
  }

 private:
  std::vector<data::Sample> samples_;
};

/// The model as `quantize` calibrates it.
struct Job {
  graph::Graph original;
  graph::Graph prepared;
  std::unique_ptr<data::Dataset> files;
  std::unique_ptr<DecodedDataset> decoded;
  std::map<std::string, calibrate::Tap> taps;
  std::vector<std::string> names;
  std::vector<calibrate::GramRequest> grams;
};

Job make_job(const Arguments& arguments) {
  Job job;
  job.original = formats::read_onnx(arguments.model);
  data::DataOptions options;
  options.sources = {arguments.data};
  options.preprocess = arguments.preprocess;
  options.samples = arguments.samples;
  job.files = data::open_dataset(options, pipeline::model_inputs(job.original));
  job.decoded = std::make_unique<DecodedDataset>(*job.files);
  job.prepared = job.original;
  (void)passes::prepare(job.prepared, {{}, job.decoded->load(0)});
  const auto plan = plan::make_plan(job.prepared, target::load_target("SM8650"), {});
  job.taps = calibrate::taps_for_plan(job.prepared, plan);
  for (const auto& [name, tap] : job.taps) job.names.push_back(name);
  for (const graph::Node& node : job.prepared.nodes()) {
    if (node.is("Conv") || node.is("Gemm")) job.grams.push_back({node.name()});
  }
  return job;
}

quant::Statistics calibrate_job(const Job& job, const data::Dataset& dataset, int threads,
                                bool histogram, bool grams) {
  std::map<std::string, calibrate::Tap> taps = job.taps;
  for (auto& [name, tap] : taps) tap.histogram = histogram;
  return calibrate::calibrate(job.prepared, dataset, taps,
                              grams ? job.grams : std::vector<calibrate::GramRequest>{},
                              {threads, 0}, silent_progress());
}

/// Ranges of calibration and of a plain run over some samples must be equal.
void check_ranges(const Job& job, int threads) {
  const quant::Statistics got = calibrate_job(job, *job.decoded, threads, true, false);
  const runtime::Session session(job.prepared, {}, job.names);
  std::map<std::string, std::pair<float, float>> expected;
  for (std::int64_t i = 0; i < job.decoded->size(); ++i) {
    const std::vector<Tensor> values = session.run(job.decoded->load(i));
    for (std::size_t v = 0; v < values.size(); ++v) {
      const auto data = values[v].data<float>();
      const auto [low, high] = std::minmax_element(data.begin(), data.end());
      const auto [found, added] = expected.emplace(job.names[v], std::pair{*low, *high});
      found->second.first = std::min(found->second.first, *low);
      found->second.second = std::max(found->second.second, *high);
    }
  }
  for (const auto& [name, range] : expected) {
    const quant::ValueStatistics& value = got.values.at(name);
    if (value.min == range.first && value.max == range.second) continue;
    throw Error(ErrorCode::kInternal,
                format("value '{}': range [{}, {}], a plain run has [{}, {}]", name, value.min,
                       value.max, range.first, range.second));
  }
}

void measure_pass(const Arguments& arguments, Results& results) {
  constexpr int kRepetitions = 2;
  const int threads = hardware_threads();
  const Job job = make_job(arguments);
  check_ranges(job, threads);
  const std::int64_t count = job.decoded->size();
  std::printf("%s: %ld samples, %zu taps, %d threads\n", arguments.model.c_str(),
              static_cast<long>(count), job.names.size(), threads);
  const auto over_samples = [&](int workers, const std::function<void(const data::Sample&)>& run) {
    run(job.decoded->load(0));
    return measure(kRepetitions, [&] {
      parallel_for(count, workers, [&](std::int64_t i) { run(job.decoded->load(i)); });
    });
  };
  const runtime::Session bare(job.original, {});
  results.pass("bare forward, side by side",
               over_samples(threads, [&](const auto& sample) { (void)bare.run(sample); }));
  const runtime::Session wide(job.original, {.threads = threads});
  results.pass("bare forward, all threads in one run",
               over_samples(1, [&](const auto& sample) { (void)wide.run(sample); }));
  const runtime::Session outputs(job.prepared, {}, job.names);
  results.pass("taps as outputs",
               over_samples(threads, [&](const auto& sample) { (void)outputs.run(sample); }));
  const runtime::TapSession taps(job.prepared, job.names);
  results.pass("taps in place", over_samples(threads, [&](const auto& sample) {
                 taps.run(sample, [](const runtime::TapView&) {});
               }));
  results.pass("making the tap session", measure(kRepetitions, [&] {
                 const runtime::TapSession session(job.prepared, job.names);
               }));
  const auto calibration = [&](const data::Dataset& dataset, bool histogram, bool grams) {
    return measure(kRepetitions,
                   [&] { (void)calibrate_job(job, dataset, threads, histogram, grams); });
  };
  results.pass("calibrate, min-max", calibration(*job.decoded, false, false));
  results.pass("calibrate, histograms", calibration(*job.decoded, true, false));
  results.pass("calibrate, histograms, decoding", calibration(*job.files, true, false));
  results.pass("calibrate, histograms, Gram matrices", calibration(*job.decoded, true, true));
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  int next = 1;
  if (argc > 3) {
    arguments.model = argv[1];
    arguments.data = argv[2];
    arguments.preprocess = argv[3];
    next = 4;
  } else if (const char* assets = std::getenv("HEXQUANT_ASSETS")) {
    arguments.model = (fs::path(assets) / "models" / "efficientnet_lite0.onnx").string();
    arguments.data = (fs::path(assets) / "data" / "imagenet_val").string();
    arguments.preprocess =
        R"({"crop": [224, 224], "mean": [127, 127, 127], "std": [128, 128, 128]})";
  }
  if (argc > next) arguments.samples = std::atoll(argv[next]);
  if (argc > next + 1) arguments.csv = argv[next + 1];
  return arguments;
}

}  // namespace
}  // namespace hexquant

int main(int argc, char** argv) {
  try {
    const hexquant::Arguments arguments = hexquant::parse(argc, argv);
    hexquant::Results results;
    hexquant::measure_kernels(results);
    hexquant::measure_observers(results);
    if (!arguments.model.empty()) hexquant::measure_pass(arguments, results);
    if (!arguments.csv.empty()) hexquant::write_file(arguments.csv, results.csv());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_calibrate: %s\n", error.what());
    return 1;
  }
}
