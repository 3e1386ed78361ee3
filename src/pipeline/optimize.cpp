#include "pipeline/optimize.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/file_io.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "core/nearest_name.h"
#include "data/preprocess.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "passes/cancel_transposes.h"
#include "passes/drop_border_conversions.h"
#include "passes/fix_input_shapes.h"
#include "passes/fold_batch_norm.h"
#include "passes/fold_identity.h"
#include "passes/infer_shapes.h"
#include "passes/input_levels.h"
#include "passes/merge_attention.h"
#include "passes/merge_reductions.h"
#include "passes/pad_channels.h"
#include "passes/prelu_to_relu.h"
#include "passes/prepare.h"
#include "passes/quantize_biases.h"
#include "passes/remove_dead_code.h"
#include "passes/replace_cpu_ops.h"
#include "passes/space_to_depth_stem.h"
#include "pipeline/analyze_model.h"
#include "pipeline/channel_last.h"
#include "pipeline/htp_model.h"
#include "pipeline/kept_samples.h"
#include "pipeline/optimize_check.h"
#include "pipeline/optimize_samples.h"
#include "pipeline/quantize_pipeline.h"
#include "target/node_unit.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using graph::Node;
using passes::PassReport;

constexpr std::int64_t kRandomSamples = 4;
/// Samples that forms of the model are quantized with for their cost.
constexpr std::int64_t kCostSamples = 2;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message);
}

void check_names(const std::vector<std::string>& names, const char* option) {
  const std::vector<std::string>& known = rewrite_names();
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const auto near = NameIndex(known).nearest(name, 1);
    refuse(format("{} '{}': no rewrite has this name{}; there are {}", option, name,
                  near.empty() ? "" : " (" + near.front() + "?)", join(known, ", ")));
  }
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Gain of one step, added to what the rewrite gained before; nothing when a figure is missing.
std::optional<double> added(const std::optional<double>& sum, const std::optional<double>& before,
                            const std::optional<double>& after) {
  if (!sum || !before || !after) return std::nullopt;
  return *sum + *before - *after;
}

class Optimizer {
 public:
  Optimizer(const OptimizeRequest& request, int threads, ProgressSink& progress)
      : request_(request),
        threads_(threads),
        progress_(progress),
        original_(read(request)),
        target_(target::load_target(request.soc)),
        meter_(target_, request.estimate, predictor(), threads, progress) {
    result_.is_quantized = target::is_quantized(original_);
    check_request();
    open_data();
  }

  OptimizeResult run() {
    graph_ = original_;
    cost_ = result_.before = result_.prepared = meter_.measure(graph_, feeds_);
    if (result_.is_quantized) {
      rewrite_quantized();
    } else {
      rewrite_float();
    }
    finish();
    result_.check = check_optimized(original_, graph_, result_.borders, *dataset_, closeness_,
                                    !request_.data.sources.empty(), threads_, progress_);
    append(result_.findings, meter_.findings());
    result_.graph = std::move(graph_);
    return std::move(result_);
  }

 private:
  static Graph read(const OptimizeRequest& request) {
    Graph graph = formats::read_onnx(request.model);
    passes::fix_input_shapes(graph, request.input_shapes);
    return graph;
  }

  [[nodiscard]] PredictCost predictor() const {
    return [this](const Graph& form) -> std::optional<std::pair<double, std::int64_t>> {
      const perf::Prediction prediction = analyze_graph(form, target_, {}).prediction;
      return std::pair{prediction.time_us.value, prediction.ddr_bytes};
    };
  }

  void check_request() const {
    check_names(request_.only, "--only");
    check_names(request_.skip, "--skip");
    if (result_.is_quantized && (request_.uint8_input || request_.prelu_to_relu)) {
      refuse(
          format("{}: it is quantized already: {} needs the float model (--quantized-io gives a "
                 "quantized model inputs and outputs without conversions)",
                 request_.model, request_.uint8_input ? "--uint8-input" : "--prelu-to-relu"));
    }
    if (!result_.is_quantized && request_.quantized_io) {
      refuse(format("{}: --quantized-io needs a model with Q/DQ pairs: quantize it first",
                    request_.model));
    }
  }

  void open_data() {
    if (!request_.data.preprocess.empty()) {
      preprocess_ = data::read_preprocess(request_.data.preprocess);
    }
    if (request_.data.sources.empty()) {
      random_ =
          random_samples(original_, kRandomSamples, request_.seed,
                         request_.uint8_input ? std::optional(normalization()) : std::nullopt);
      dataset_ = std::make_unique<KeptSamples>(random_);
    } else {
      dataset_ =
          data::open_dataset(resolve_data(request_.data, request_.seed), model_inputs(original_));
    }
    for (std::int64_t i = 0; i < std::min(dataset_->size(), kCostSamples); ++i) {
      feeds_.push_back(dataset_->load(i));
    }
  }

  [[nodiscard]] passes::Normalization normalization() const {
    passes::Normalization normalization;
    if (!preprocess_) return normalization;
    normalization.mean.assign(preprocess_->mean.begin(), preprocess_->mean.end());
    normalization.std.assign(preprocess_->std.begin(), preprocess_->std.end());
    return normalization;
  }

  // ---- the rewrites, in order

  void rewrite_float() {
    prepare();
    if (request_.prelu_to_relu) {
      run("prelu_to_relu", passes::prelu_to_relu);
      if (!result_.rewrites.empty() && result_.rewrites.back().name == "prelu_to_relu") {
        closeness_ = Closeness::kAnotherFunction;
      }
    }
    run("replace_cpu_ops", passes::replace_cpu_ops);
    run("merge_reductions", passes::merge_reductions);
    run("merge_attention", passes::merge_attention);
    run("cancel_transposes", passes::cancel_transposes);
    rewrite_borders();
    const auto pays = [this](const Graph& a, const Graph& b) { return pays_off(a, b); };
    if (request_.space_to_depth) {
      run("space_to_depth_stem", [&](Graph& g) { return passes::space_to_depth_stem(g, pays); });
    }
    if (request_.pad_channels) {
      run("pad_channels", [&](Graph& g) { return passes::pad_channels(g, pays); });
    }
  }

  void rewrite_quantized() {
    closeness_ = Closeness::kCodes;
    run("fold_identity", passes::fold_identity);
    complete();
    run("quantize_biases", passes::quantize_biases);
    run("cancel_transposes", passes::cancel_transposes);
    if (request_.quantized_io) {
      run("drop_border_conversions", [this](Graph& g) { return drop_conversions(g); });
    }
    rewrite_borders();
  }

  void rewrite_borders() {
    if (request_.nhwc_input) run("nhwc_input", [this](Graph& g) { return turn_inputs(g); });
    if (request_.uint8_input) run("uint8_input", [this](Graph& g) { return take_levels(g); });
    if (request_.nhwc_output) run("nhwc_output", [this](Graph& g) { return turn_outputs(g); });
    if (request_.nhwc_input || request_.nhwc_output) {
      run("cancel_transposes", passes::cancel_transposes);
    }
  }

  void prepare() {
    passes::PrepareOptions options;
    options.example = feeds_.front();
    for (const std::string& name : passes::prepare_rewrites()) {
      if (!is_wanted(name)) options.skip.insert(name);
    }
    options.after_pass = [&](const PassReport& report, const Graph& graph) {
      if (contains(passes::prepare_rewrites(), report.pass)) {
        record(report.pass, report.applied_to, graph);
      }
    };
    for (const PassReport& report : passes::prepare(graph_, options))
      append(result_.findings, report.findings);
    result_.prepared = cost_;
  }

  PassReport turn_inputs(Graph& graph) {
    PassReport report{"nhwc_input", {}, {}};
    for (const ImageInput& image : image_inputs(graph)) {
      if (image.channel_axis != 1) continue;
      if (!make_input_channel_last(graph, image.name, *find_channel_order("NCHW"))) continue;
      result_.borders.inputs[image.name].channel_last = true;
      report.applied_to.push_back(image.name);
    }
    if (report.applied_to.empty()) {
      report.findings.push_back({"no-image-input", Severity::kInfo, request_.model,
                                 "no input of rank 4 in NCHW leads to a convolution or pooling",
                                 ""});
    }
    return report;
  }

  PassReport turn_outputs(Graph& graph) {
    PassReport report{"nhwc_output", {}, {}};
    for (const std::string& output : graph.outputs()) {
      if (!comes_from_spatial_node(graph, output)) continue;
      if (!make_output_channel_last(graph, output, *find_channel_order("NCHW"))) continue;
      result_.borders.outputs[output].channel_last = true;
      report.applied_to.push_back(output);
    }
    graph.sort();
    return report;
  }

  PassReport take_levels(Graph& graph) {
    PassReport report{"uint8_input", {}, {}};
    const passes::Normalization norm = normalization();
    for (const ImageInput& image : image_inputs(graph)) {
      const graph::ValueType* type = graph.find_type(image.name);
      if (type->dtype != DType::kFloat32) continue;
      InputChange& change = result_.borders.inputs[image.name];
      change.channel_axis = change.channel_last ? 1 : image.channel_axis;
      const PassReport inserted =
          passes::insert_normalization(graph, image.name, image.channel_axis, norm);
      append(report.findings, inserted.findings);
      if (!norm.is_identity() && inserted.applied_to.empty()) continue;
      change.normalization = norm;
      (void)passes::fold_batch_norm(graph);
      const PassReport taken = passes::make_input_integer(graph, image.name, request_.exact_border);
      append(report.findings, taken.findings);
      if (taken.applied_to.empty()) continue;
      change.is_levels = true;
      report.applied_to.push_back(image.name);
      const bool is_near =
          std::any_of(taken.findings.begin(), taken.findings.end(),
                      [](const Finding& finding) { return finding.id == "border-approximated"; });
      if (is_near && closeness_ == Closeness::kRounding) closeness_ = Closeness::kBorder;
    }
    return report;
  }

  PassReport drop_conversions(Graph& graph) {
    std::vector<passes::BorderEncoding> encodings;
    PassReport report = passes::drop_border_conversions(graph, encodings);
    for (const passes::BorderEncoding& encoding : encodings) {
      if (graph.is_input(encoding.value)) {
        result_.borders.inputs[encoding.value].codes = encoding;
      } else {
        result_.borders.outputs[encoding.value].codes = encoding;
      }
    }
    graph.sort();
    return report;
  }

  // ---- how they are run

  [[nodiscard]] bool is_wanted(const std::string& name) const {
    if (contains(request_.skip, name)) return false;
    return request_.only.empty() || contains(request_.only, name);
  }

  template <typename Pass>
  void run(const char* name, const Pass& pass) {
    if (!is_wanted(name)) return;
    const PassReport report = pass(graph_);
    append(result_.findings, report.findings);
    if (report.applied_to.empty()) return;
    complete();
    record(name, report.applied_to, graph_);
  }

  void complete() { (void)passes::complete_shapes(graph_, result_.borders.feeds(feeds_.front())); }

  [[nodiscard]] ModelCost measure(const Graph& graph) {
    std::vector<runtime::Feeds> feeds;
    for (const runtime::Feeds& sample : feeds_) feeds.push_back(result_.borders.feeds(sample));
    return meter_.measure(graph, feeds);
  }

  void record(const std::string& name, const std::vector<std::string>& places, const Graph& graph) {
    const ModelCost cost = measure(graph);
    auto row = std::find_if(result_.rewrites.begin(), result_.rewrites.end(),
                            [&](const RewriteResult& one) { return one.name == name; });
    if (row == result_.rewrites.end()) {
      result_.rewrites.push_back({name, {}, 0.0, 0.0, cost_, {}});
      row = std::prev(result_.rewrites.end());
    }
    row->places.insert(row->places.end(), places.begin(), places.end());
    row->predicted_gain_us = added(row->predicted_gain_us, cost_.predicted_us, cost.predicted_us);
    row->vendor_gain_us = added(row->vendor_gain_us, cost_.vendor_us, cost.vendor_us);
    row->after = cost;
    cost_ = cost;
  }

  [[nodiscard]] bool pays_off(const Graph& before, const Graph& after) {
    const ModelCost old = measure(before);
    const ModelCost changed = measure(after);
    if (old.vendor_us && changed.vendor_us) return *changed.vendor_us < *old.vendor_us;
    return old.predicted_us && changed.predicted_us && *changed.predicted_us < *old.predicted_us;
  }

  void finish() {
    (void)passes::remove_dead_code(graph_);
    complete();
    graph_.sort();
    result_.after = measure(graph_);
    result_.fused = fused_values(graph_, target_.rules);
    describe_preprocessing();
  }

  void describe_preprocessing() {
    if (!preprocess_) return;
    for (const auto& [name, change] : result_.borders.inputs) {
      if (change.is_none() || change.codes) continue;
      data::Preprocess changed = *preprocess_;
      if (change.is_levels) {
        changed.mean = {0.0F};
        changed.std = {1.0F};
      }
      const bool channel_last = change.channel_last || change.channel_axis != 1;
      changed.layout = channel_last ? data::ImageLayout::kNhwc : data::ImageLayout::kNchw;
      result_.preprocess = data::preprocess_json(changed);
    }
  }

  const OptimizeRequest& request_;
  int threads_;
  ProgressSink& progress_;
  Graph original_;
  target::Target target_;
  CostMeter meter_;
  std::optional<data::Preprocess> preprocess_;
  std::vector<runtime::Feeds> random_;
  std::unique_ptr<data::Dataset> dataset_;
  std::vector<runtime::Feeds> feeds_;  ///< of the original, for costs and shapes
  Graph graph_;
  ModelCost cost_;  ///< of graph_
  Closeness closeness_ = Closeness::kRounding;
  OptimizeResult result_;
};

}  // namespace

const std::vector<std::string>& rewrite_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = passes::prepare_rewrites();
    for (const char* name :
         {"prelu_to_relu", "replace_cpu_ops", "merge_reductions", "merge_attention",
          "cancel_transposes", "quantize_biases", "drop_border_conversions", "nhwc_input",
          "uint8_input", "nhwc_output", "space_to_depth_stem", "pad_channels"}) {
      all.emplace_back(name);
    }
    return all;
  }();
  return names;
}

OptimizeResult optimize(const OptimizeRequest& request, int threads, ProgressSink& progress) {
  return Optimizer(request, threads, progress).run();
}

std::vector<std::filesystem::path> write_optimized(const OptimizeResult& result,
                                                   const std::filesystem::path& model) {
  formats::write_onnx(result.graph, model);
  std::vector<std::filesystem::path> files = {model};
  if (result.preprocess) {
    std::filesystem::path path = model;
    path.replace_extension(".preprocess.json");
    write_file(path, *result.preprocess);
    files.push_back(std::move(path));
  }
  return files;
}

}  // namespace hexquant::pipeline
