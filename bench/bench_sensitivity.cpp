// What the sensitivity of every layer costs, and whether it says what evaluating each model whole
// says.
//
//   bench_sensitivity cost|compare RECIPE.json [THREADS=2] [CSV]
//
// RECIPE.json is a recipe of quantize (OUT/recipe.json). Every layer is measured with weights and
// activation at the recipe's widths, by prefix reuse; `compare` then builds each of these
// candidates as a model of its own and runs it from its inputs (fewer samples will do). Exit status
// 1 unless
//   - the SQNR of each pair agrees within 0.1 dB (16-bit rows, whose noise is drawn again,
//   excepted),
//   - their rankings by SQNR correlate with Spearman >= 0.98.
// The cost is given in float passes for each candidate: CPU seconds of the whole analysis,
// calibration included, over CPU seconds of the float model on the same samples, held in memory.
// CPU seconds, so that other work on the machine disturbs less.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "core/parallel.h"
#include "core/peak_memory.h"
#include "evaluate/evaluate_models.h"
#include "evaluate/metrics.h"
#include "hexquant/error.h"
#include "least_cost.h"
#include "pipeline/evaluation_task.h"
#include "pipeline/recipe_json.h"
#include "pipeline/sensitivity.h"
#include "pipeline/width_forms.h"
#include "quant/insert_qdq.h"
#include "runtime/session.h"
#include "target/target.h"

namespace hexquant {
namespace {

using mixed_precision::Candidate;
using mixed_precision::kFloatBits;
using mixed_precision::SensitivityRow;
using pipeline::WidthForms;

constexpr double kSqnrToleranceDb = 0.1;
constexpr double kLowestSpearman = 0.98;
/// Above it only float32 rounding, or a new draw of 16-bit noise, is compared.
constexpr double kDrawnAgainDb = 75.0;

/// CPU seconds of the float model over all scored samples, read before.
double float_pass_seconds(const graph::Graph& graph, const evaluate::Task& task, int threads) {
  std::vector<data::Sample> samples;
  for (const data::Dataset* dataset : {task.data, task.data_b}) {
    for (std::int64_t i = 0; dataset != nullptr && i < dataset->size(); ++i) {
      samples.push_back(dataset->load(i));
    }
  }
  const runtime::Session session(graph, {});
  const auto run = [&](std::int64_t i) { (void)session.run(samples[static_cast<std::size_t>(i)]); };
  return measure(2, [&] { parallel_for(std::ssize(samples), threads, run); }).cpu_seconds;
}

/// The whole model with one layer quantized as the candidate says.
graph::Graph candidate_graph(const WidthForms& forms, const SensitivityRow& layer,
                             const Candidate& candidate) {
  graph::Graph graph = forms.model.prepared;
  quant::EncodingTable table;
  if (candidate.act_bits != kFloatBits) {
    table.tensors[layer.output] = forms.activations.at(candidate.act_bits).at(layer.output);
  }
  if (candidate.weight_bits != kFloatBits) {
    for (const graph::Node& node : forms.model.prepared.nodes()) {
      if (node.name() != layer.name) continue;
      for (const std::string& input : node.inputs()) {
        const Tensor* changed = forms.weights.at(candidate.weight_bits).find_initializer(input);
        if (changed != nullptr) graph.set_initializer(input, *changed);
      }
    }
  }
  return quant::insert_qdq(graph, table);
}

struct Comparison {
  std::vector<double> by_reuse;  ///< dB
  std::vector<double> whole;
  double worst_db = 0.0;
  std::string csv = "layer,weight_bits,act_bits,sqnr_db,whole_sqnr_db,loss,whole_loss\n";
};

Comparison compare(const pipeline::SensitivityResult& result, const WidthForms& forms,
                   const evaluate::Task& task, int threads) {
  Comparison comparison;
  for (const SensitivityRow& row : result.table.layers) {
    for (const auto& [candidate, effect] : row.measured) {
      const graph::Graph graph = candidate_graph(forms, row, candidate);
      evaluate::Model model{.name = row.name};
      model.open = [&]() -> std::unique_ptr<runtime::InferenceSession> {
        return std::make_unique<runtime::Session>(
            graph, runtime::SessionOptions{.integer_kernels = false});
      };
      const evaluate::CandidateScore score =
          evaluate::evaluate_models({"float", &forms.model.prepared, {}}, {model}, task, threads)
              .candidates.front();
      const double whole_db = score.outputs.sqnr_db();
      comparison.by_reuse.push_back(effect.sqnr_db);
      comparison.whole.push_back(whole_db);
      comparison.csv +=
          format("{},{},{},{:.4f},{:.4f},{:.6f},{:.6f}\n", row.name, candidate.weight_bits,
                 candidate.act_bits, effect.sqnr_db, whole_db, effect.loss, score.loss);
      if (whole_db > kDrawnAgainDb) continue;
      comparison.worst_db = std::max(comparison.worst_db, std::abs(whole_db - effect.sqnr_db));
    }
  }
  return comparison;
}

int run(bool compares, const std::string& path, int threads, const std::string& csv) {
  Recipe recipe;
  pipeline::recipe_from_json(read_json(path), path, recipe);
  recipe.output = ".";
  recipe.evaluation.enabled = true;
  if (recipe.evaluation.data.sources.empty()) recipe.evaluation.data = recipe.data;
  pipeline::SensitivityOptions options;
  options.blocks = false;
  pipeline::SensitivityResult result;
  const LeastCost cost = measure(1, [&] {
    result = pipeline::measure_sensitivity(recipe, options, threads, silent_progress());
  });
  const std::int64_t peak_bytes = peak_memory_bytes();
  std::size_t candidates = 0;
  for (const SensitivityRow& row : result.table.layers) candidates += row.measured.size();
  std::printf("%s: %zu layers, %zu candidates, %lld samples\n", recipe.model.c_str(),
              result.table.layers.size(), candidates, static_cast<long long>(result.table.samples));
  std::printf("cost                 %.1f CPU s (%.1f s), peak memory %.2f GB\n", cost.cpu_seconds,
              cost.wall_seconds, static_cast<double>(peak_bytes) * 1e-9);

  const WidthForms forms = pipeline::make_width_forms(
      recipe, pipeline::resolve_recipe(recipe, threads), target::load_target(recipe.soc),
      {recipe.weight_bits}, {recipe.act_bits}, threads, silent_progress());
  Findings findings;
  const pipeline::EvaluationTask task = pipeline::open_evaluation(
      recipe.evaluation, recipe.data, recipe.seed, forms.model.original, findings);
  const double pass = float_pass_seconds(forms.model.prepared, task.task, threads);
  std::printf("one float pass       %.2f CPU s: %.3f passes a candidate\n", pass,
              cost.cpu_seconds / pass / static_cast<double>(candidates));
  std::fflush(stdout);
  if (!compares) return 0;
  const Comparison comparison = compare(result, forms, task.task, threads);
  const double spearman = evaluate::spearman(comparison.by_reuse, comparison.whole);
  std::printf("each model whole     SQNR differs by at most %.4f dB, Spearman %.5f\n",
              comparison.worst_db, spearman);
  if (!csv.empty()) write_file(csv, comparison.csv);
  const bool is_equal = comparison.worst_db <= kSqnrToleranceDb && spearman >= kLowestSpearman;
  return is_equal ? 0 : 1;
}

}  // namespace
}  // namespace hexquant

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (argc < 3 || (what != "cost" && what != "compare")) {
    std::fprintf(stderr, "usage: bench_sensitivity cost|compare RECIPE.json [THREADS=2] [CSV]\n");
    return 2;
  }
  try {
    return hexquant::run(what == "compare", argv[2], argc > 3 ? std::atoi(argv[3]) : 2,
                         argc > 4 ? argv[4] : "");
  } catch (const hexquant::Error& error) {
    std::fprintf(stderr, "bench_sensitivity: %s\n", error.what());
    return 2;
  }
}
