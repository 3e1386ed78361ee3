#include "pipeline/sensitivity.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "core/file_io.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "core/journal.h"
#include "core/parallel.h"
#include "core/stopwatch.h"
#include "evaluate/output_scorer.h"
#include "hexquant/error.h"
#include "hexquant/version.h"
#include "mixed_precision/layer_sequence.h"
#include "mixed_precision/work_share.h"
#include "pipeline/candidate_models.h"
#include "pipeline/distinct_runs.h"
#include "pipeline/evaluation_task.h"
#include "pipeline/recipe_json.h"
#include "pipeline/width_forms.h"
#include "runtime/segment_runner.h"

namespace hexquant::pipeline {
namespace {

using evaluate::OutputScorer;
using mixed_precision::Candidate;
using mixed_precision::CandidateKind;
using mixed_precision::kFloatBits;
using mixed_precision::kind_name;
using mixed_precision::LayerBlock;
using mixed_precision::LayerStretch;
using mixed_precision::Measurement;
using mixed_precision::SensitivityRow;
using runtime::Feeds;
using runtime::Segment;

/// Units of a progress bar for one pass of the whole model over one sample.
constexpr double kPassUnits = 1000.0;

std::string_view bytes_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()};
}

template <typename T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total_pages = 0;
  std::int64_t resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

std::string layer_key(const SensitivityRow& row) {
  return "layer " + row.name;
}

std::string block_key(const SensitivityRow& row) {
  return "block " + row.name;
}

/// What the values at the cut may take: the limit without what is there already, and what a
/// session needs for the rest of the model.
std::int64_t held_budget_bytes(const graph::Graph& graph, std::int64_t max_memory_bytes,
                               int threads) {
  constexpr std::int64_t kThreadBytes = std::int64_t{64} << 20;
  std::int64_t weight_bytes = 0;
  for (const auto& [name, tensor] : graph.initializers()) {
    weight_bytes += static_cast<std::int64_t>(tensor.bytes());
  }
  return std::max<std::int64_t>(
      0, max_memory_bytes - resident_bytes() - 2 * weight_bytes - threads * kThreadBytes);
}

mixed_precision::Effect effect_of(const evaluate::CandidateScore& score) {
  mixed_precision::Effect effect;
  effect.metric = score.score.value();
  effect.sqnr_db = score.outputs.sqnr_db();
  effect.loss = score.loss;
  effect.kl = score.kl;
  effect.cosine = score.outputs.cosine();
  effect.agreement = score.agreement;
  return effect;
}

class Analysis {
 public:
  Analysis(const Recipe& recipe, const SensitivityOptions& options, int threads,
           ProgressSink& progress)
      : recipe_(recipe), options_(options), threads_(threads), progress_(progress) {
    if (recipe_.output.empty()) recipe_.output = ".";  // nothing is written there
    quantize_options_ = resolve_recipe(recipe_, threads);
    choose_candidates();
  }

  SensitivityResult run() {
    Stopwatch watch;
    const target::Target target = target::load_target(recipe_.soc);
    std::set<int> weight_bits;
    std::set<int> act_bits;
    for (const auto* candidates : {&layer_candidates_, &block_candidates_}) {
      for (const Candidate& one : *candidates) {
        if (one.weight_bits != kFloatBits) weight_bits.insert(one.weight_bits);
        if (one.act_bits != kFloatBits) act_bits.insert(one.act_bits);
      }
    }
    forms_ = make_width_forms(recipe_, quantize_options_, target, weight_bits, act_bits, threads_,
                              progress_);
    sequence_.emplace(mixed_precision::sequence_layers(graph(), forms_.model.plan));
    models_.emplace(forms_, *sequence_, layer_candidates_, block_candidates_);
    work_behind_ = mixed_precision::work_behind(graph(), sequence_->order);
    open_scorer();
    run_reference();
    journal_ = std::make_unique<Journal>(options_.journal, digest());
    result_.resumed_rows = journal_->resumed();
    make_rows();
    measure_rows();
    result_.seconds = watch.total_seconds();
    append(result_.findings, forms_.model.findings);
    return std::move(result_);
  }

 private:
  [[nodiscard]] const graph::Graph& graph() const { return forms_.model.prepared; }

  void choose_candidates() {
    const bool is_default = options_.kinds.empty();
    layer_candidates_ =
        combine(is_default ? std::vector{CandidateKind::kWeights, CandidateKind::kActivation}
                           : options_.kinds);
    block_candidates_ = combine(is_default ? std::vector{CandidateKind::kBoth} : options_.kinds);
  }

  [[nodiscard]] std::vector<Candidate> combine(const std::vector<CandidateKind>& kinds) const {
    if (!options_.widths.empty()) return mixed_precision::candidates_of(kinds, options_.widths);
    return mixed_precision::candidates_at(kinds, recipe_.weight_bits, recipe_.act_bits);
  }

  void open_scorer() {
    EvaluationRecipe evaluation = recipe_.evaluation;
    evaluation.enabled = true;
    if (evaluation.data.sources.empty()) evaluation.data = recipe_.data;
    std::int64_t& samples = evaluation.data.samples;
    if (options_.max_samples > 0 && (samples == 0 || samples > options_.max_samples)) {
      samples = options_.max_samples;
    }
    task_ = open_evaluation(evaluation, recipe_.data, recipe_.seed, forms_.model.original,
                            result_.findings);
    task_.task.output = options_.score_output;
    task_.task.time_limit_s = options_.time_limit_s;
    whole_ = std::make_unique<runtime::Session>(graph(), runtime::SessionOptions{});
    scorer_ = std::make_unique<OutputScorer>(task_.task, whole_->inputs(), whole_->outputs());
  }

  void run_reference() {
    Stopwatch watch;
    distinct_.emplace(scorer_->runs());
    ProgressStage stage(progress_, "float", scorer_->runs());
    parallel_for(scorer_->runs(), threads_, [&](std::int64_t run) {
      const Feeds feeds = scorer_->load(run);
      distinct_->note(run, feeds);
      scorer_->add_reference(run, feeds, whole_->run(feeds));
      stage.step();
    });
    distinct_->group([this](std::int64_t run) { return scorer_->load(run); });
    scorer_->finish_reference(progress_);
    whole_.reset();
    result_.float_pass_seconds = watch.lap_seconds();
    result_.table.model = recipe_.model;
    result_.table.metric = task_.task.metric.name();
    result_.table.samples = task_.task.samples();
    result_.table.baseline = scorer_->reference().metrics;
  }

  /// Of everything that the numbers depend on: an interrupted run may go on only with the same.
  [[nodiscard]] std::string digest() const {
    Digest digest;
    Recipe recipe = recipe_;
    recipe.output.clear();
    digest.add(version()).add(runtime::runtime_version());
    digest.add(to_text(recipe_to_json(recipe))).add(task_.task.metric.name());
    digest.add(options_.score_output).add(options_.blocks ? "blocks" : "");
    for (const auto* candidates : {&layer_candidates_, &block_candidates_}) {
      for (const Candidate& one : *candidates) {
        digest.add(format("{} {} {}", kind_name(one.kind), one.weight_bits, one.act_bits));
      }
      digest.add("");
    }
    digest.add(bytes_of(task_.task.labels)).add(bytes_of(task_.task.scores));
    digest.add(bytes_of(task_.task.lengths));
    if (!task_.task.labels_file.empty()) digest.add(read_file(task_.task.labels_file));
    for (std::int64_t run = 0; run < scorer_->runs(); ++run) {
      for (const Tensor& output : scorer_->reference_outputs(run)) digest.add(bytes_of(output));
    }
    for (const auto& [bits, encodings] : forms_.activations) {
      for (const auto& [name, encoding] : encodings) digest.add(name).add(bytes_of(encoding.scale));
    }
    return digest.text();
  }

  void make_rows() {
    for (const LayerStretch& layer : sequence_->layers) {
      result_.table.layers.push_back(
          {layer.node, layer.op, layer.weight, layer.output, layer.block, {}, {}});
    }
    for (const LayerBlock& block : sequence_->blocks) {
      SensitivityRow row;
      row.name = format("{} .. {}", sequence_->layers[block.first].node,
                        sequence_->layers[block.last].node);
      for (std::size_t i = block.first; i <= block.last; ++i) {
        row.layers.push_back(sequence_->layers[i].node);
      }
      result_.table.blocks.push_back(std::move(row));
    }
    if (!options_.blocks) result_.table.blocks.clear();
  }

  /// Rows in the order in which the cut meets them; those in the journal are taken from there.
  void measure_rows() {
    const std::size_t needed = layers_to_reach();
    ProgressStage stage(progress_, "sensitivity", total_units());
    stage_ = &stage;
    std::optional<runtime::SegmentRunner> runner;
    runner.emplace(
        graph(), distinct_->size(),
        [this](std::int64_t group) { return scorer_->load(distinct_->first(group)); },
        held_budget_bytes(graph(), options_.max_memory_bytes, threads_), threads_);
    for (std::size_t i = 0; i < sequence_->layers.size(); ++i) {
      const LayerStretch& layer = sequence_->layers[i];
      const std::vector<std::string> before = sequence_->cut(graph(), layer.first);
      if (i < needed && runner->cut() != before) runner->advance(before);
      if (options_.blocks) measure_block_at(i, *runner);
      measure_layer(i, i < needed, *runner);
    }
    stage_ = nullptr;
  }

  /// Layers up to the last one that has to be measured.
  [[nodiscard]] std::size_t layers_to_reach() const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < sequence_->layers.size(); ++i) {
      if (journal_->find(layer_key(result_.table.layers[i])) == nullptr) count = i + 1;
    }
    for (std::size_t b = 0; b < result_.table.blocks.size(); ++b) {
      if (journal_->find(block_key(result_.table.blocks[b])) != nullptr) continue;
      count = std::max(count, sequence_->blocks[b].first + 1);
    }
    return count;
  }

  [[nodiscard]] std::int64_t units(std::size_t cut, std::size_t candidates) const {
    return static_cast<std::int64_t>(kPassUnits * work_behind_[cut] *
                                     static_cast<double>(candidates));
  }

  [[nodiscard]] std::int64_t total_units() const {
    std::int64_t total = 0;
    for (std::size_t i = 0; i < sequence_->layers.size(); ++i) {
      const LayerStretch& layer = sequence_->layers[i];
      if (journal_->find(layer_key(result_.table.layers[i])) != nullptr) continue;
      total += units(layer.last, models_->candidates_of(layer).size());
    }
    for (std::size_t b = 0; b < result_.table.blocks.size(); ++b) {
      if (journal_->find(block_key(result_.table.blocks[b])) != nullptr) continue;
      const LayerBlock& block = sequence_->blocks[b];
      total += units(sequence_->layers[block.first].first, models_->candidates_of(block).size());
    }
    return total * distinct_->size();
  }

  using Sheets = std::vector<std::unique_ptr<OutputScorer::Sheet>>;

  [[nodiscard]] Sheets open_sheets(const SensitivityRow& row,
                                   const std::vector<Candidate>& candidates) const {
    Sheets sheets;
    for (const Candidate& one : candidates) {
      sheets.push_back(scorer_->open(
          format("{} ({} w{} a{})", row.name, kind_name(one.kind), one.weight_bits, one.act_bits)));
    }
    return sheets;
  }

  void close_sheets(const std::vector<Candidate>& candidates, Sheets& sheets,
                    const std::string& key, SensitivityRow& row) {
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      row.measured.push_back({candidates[c], effect_of(scorer_->close(*sheets[c], progress_))});
      sheets[c].reset();
    }
    journal_->append(key, mixed_precision::to_json(row.measured));
    ++result_.measured_rows;
  }

  /// True when the row was in the journal.
  bool resume(const std::string& key, SensitivityRow& row) const {
    const Json* known = journal_->find(key);
    if (known == nullptr) return false;
    const std::string origin = options_.journal.string() + ": " + key;
    row.measured = mixed_precision::measurements_from_json(JsonCursor(*known, origin));
    return true;
  }

  /// Adds the outputs to every run that they are of.
  void add(OutputScorer::Sheet& sheet, std::int64_t group,
           const std::vector<Tensor>& outputs) const {
    for (const std::int64_t run : distinct_->runs(group)) scorer_->add(sheet, run, outputs);
  }

  /// Adds the outputs that follow from changed values at a cut; equal values change nothing.
  void score(OutputScorer::Sheet& sheet, std::int64_t group, const Segment& rest,
             const Feeds& after, const Feeds& changed) const {
    const bool is_same = std::all_of(changed.begin(), changed.end(), [&](const auto& entry) {
      return after.at(entry.first) == entry.second;
    });
    if (is_same) return add(sheet, group, scorer_->reference_outputs(distinct_->first(group)));
    Feeds feeds = changed;
    feeds.insert(after.begin(), after.end());
    add(sheet, group, rest.run(feeds));
  }

  void measure_layer(std::size_t index, bool moves, runtime::SegmentRunner& runner) {
    const LayerStretch& layer = sequence_->layers[index];
    SensitivityRow& row = result_.table.layers[index];
    const std::vector<std::string> after = sequence_->cut(graph(), layer.last);
    if (resume(layer_key(row), row)) {
      if (moves) runner.advance(after);
      return;
    }
    const std::vector<Candidate> candidates = models_->candidates_of(layer);
    Sheets sheets = open_sheets(row, candidates);
    const Segment rest(graph(), after, graph().outputs());
    std::map<int, Segment> with_weights;
    for (const Candidate& one : candidates) {
      if (one.weight_bits == kFloatBits || with_weights.contains(one.weight_bits)) continue;
      with_weights.emplace(one.weight_bits,
                           models_->with_weights(one.weight_bits, runner.cut(), {layer.output}));
    }
    const std::int64_t run_units = units(layer.last, candidates.size());
    runner.advance(after, [&](std::int64_t group, const Feeds& given, const Feeds& at_cut) {
      std::map<int, Tensor> results = {{kFloatBits, at_cut.at(layer.output)}};
      for (const auto& [bits, segment] : with_weights) results[bits] = segment.run(given).front();
      for (std::size_t c = 0; c < candidates.size(); ++c) {
        const Tensor& result = results.at(candidates[c].weight_bits);
        const int bits = candidates[c].act_bits;
        score(*sheets[c], group, rest, at_cut,
              {{layer.output,
                bits == kFloatBits
                    ? result
                    : fake_quantize_tensor(result, *models_->activation(bits, layer.output))}});
      }
      stage_->step(run_units);
    });
    close_sheets(candidates, sheets, layer_key(row), row);
  }

  void measure_block_at(std::size_t first_layer, runtime::SegmentRunner& runner) {
    for (std::size_t b = 0; b < sequence_->blocks.size(); ++b) {
      if (sequence_->blocks[b].first == first_layer) measure_block(b, runner);
    }
  }

  void measure_block(std::size_t index, runtime::SegmentRunner& runner) {
    const LayerBlock& block = sequence_->blocks[index];
    SensitivityRow& row = result_.table.blocks[index];
    if (resume(block_key(row), row)) return;
    const std::vector<std::string> after =
        sequence_->cut(graph(), sequence_->layers[block.last].last);
    const std::vector<Candidate> candidates = models_->candidates_of(block);
    Sheets sheets = open_sheets(row, candidates);
    const Segment rest(graph(), after, graph().outputs());
    std::vector<Segment> quantized;
    for (const Candidate& one : candidates) {
      quantized.push_back(models_->quantized_block(block, one, runner.cut(), after));
    }
    const std::int64_t run_units = units(sequence_->layers[block.first].first, candidates.size());
    runner.visit([&](std::int64_t group, const Feeds& given) {
      for (std::size_t c = 0; c < candidates.size(); ++c) {
        Feeds values;
        const std::vector<Tensor> results = quantized[c].run(given);
        for (std::size_t i = 0; i < after.size(); ++i) {
          values[after[i]] = models_->on_grid(block, candidates[c], after[i], results[i]);
        }
        add(*sheets[c], group, rest.run(values));
      }
      stage_->step(run_units);
    });
    close_sheets(candidates, sheets, block_key(row), row);
  }

  Recipe recipe_;
  SensitivityOptions options_;
  int threads_;
  ProgressSink& progress_;
  QuantizeOptions quantize_options_;
  std::vector<Candidate> layer_candidates_;
  std::vector<Candidate> block_candidates_;
  WidthForms forms_;
  std::optional<mixed_precision::LayerSequence> sequence_;
  std::optional<CandidateModels> models_;
  std::vector<double> work_behind_;
  EvaluationTask task_;
  std::unique_ptr<runtime::Session> whole_;
  std::unique_ptr<OutputScorer> scorer_;
  std::optional<DistinctRuns> distinct_;  ///< one held state for all runs of a group
  std::unique_ptr<Journal> journal_;
  ProgressStage* stage_ = nullptr;
  SensitivityResult result_;
};

}  // namespace

SensitivityResult measure_sensitivity(const Recipe& recipe, const SensitivityOptions& options,
                                      int threads, ProgressSink& progress) {
  return Analysis(recipe, options, threads, progress).run();
}

}  // namespace hexquant::pipeline
