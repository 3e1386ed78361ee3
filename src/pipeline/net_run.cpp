#include "pipeline/net_run.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "core/peak_memory.h"
#include "core/scratch_directory.h"
#include "core/stopwatch.h"
#include "evaluate/session_choice.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "passes/fix_input_shapes.h"
#include "pipeline/htp_model.h"
#include "pipeline/net_run_inputs.h"
#include "pipeline/net_run_models.h"
#include "pipeline/raw_outputs.h"
#include "runtime/htp/htp_installation.h"
#include "runtime/htp/htp_session.h"
#include "runtime/htp/htp_worker_client.h"
#include "target/node_unit.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;
using runtime::Session;

constexpr std::int64_t kComparedRuns = 200;
constexpr std::int64_t kProfiledRuns = 10;
constexpr std::int64_t kProfiledHtpRuns = 3;  // a simulated inference takes seconds

bool is_context_model(const graph::Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                     [](const graph::Node& node) { return node.op_type() == "EPContext"; });
}

/// Every value that a node computes.
std::vector<std::string> all_values(const graph::Graph& graph) {
  std::vector<std::string> values;
  for (const graph::Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) {
      if (!output.empty()) values.push_back(output);
    }
  }
  return values;
}

/// Writes the outputs of the first inference on each set.
class OutputWriter {
 public:
  OutputWriter(const NetRunRequest& request, const std::vector<runtime::ValueSpec>& outputs)
      : request_(request) {
    if (request.output_dir.empty()) return;
    std::vector<std::string> names;
    for (const runtime::ValueSpec& output : outputs) names.push_back(output.name);
    stems_ = raw_file_stems(names);
  }

  void write(std::int64_t set, const std::vector<Tensor>& outputs) {
    if (!wants(set)) return;
    const fs::path folder = request_.output_dir / format("Result_{}", set);
    StagedDirectory staged(folder);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (request_.output_files != OutputFiles::kNativeOnly) {
        write_file(staged.path() / (stems_[i] + ".raw"), float_bytes(outputs[i]));
      }
      if (request_.output_files != OutputFiles::kFloatOnly) {
        write_file(staged.path() / (stems_[i] + "_native.raw"), native_bytes(outputs[i]));
      }
    }
    staged.commit();
    written_.insert(set);
    folders_.push_back(folder);
  }

  [[nodiscard]] bool wants(std::int64_t set) const {
    const bool is_kept = request_.keep_outputs < 0 || set < request_.keep_outputs;
    return !request_.output_dir.empty() && is_kept && !written_.contains(set);
  }
  [[nodiscard]] std::vector<fs::path> take_folders() { return std::move(folders_); }

 private:
  const NetRunRequest& request_;
  std::vector<std::string> stems_;
  std::set<std::int64_t> written_;
  std::vector<fs::path> folders_;
};

class NetRun {
 public:
  NetRun(const NetRunRequest& request, ProgressSink& progress)
      : request_(request), repeat_(request.repeat), progress_(progress) {}

  NetRunResult run() {
    check_options();
    NetRunPlace place =
        find_net_run_place(request_.sources, runtime::find_htp_installation().has_value());
    result_.mappings = std::move(place.mappings);
    result_.model = place.model.string();
    result_.device = place.on_htp ? "htp" : "cpu";
    graph_ = formats::read_onnx(place.model);
    passes::fix_input_shapes(graph_, request_.input_shapes);
    result_.is_quantized = target::is_quantized(graph_);
    NetRunInputs inputs(graph_, request_.input_list, request_.native_input_files,
                        request_.batch_multiplier, request_.seed);
    result_.sets = inputs.sets();
    if (repeat_.runs == 0) repeat_.runs = result_.sets;
    result_.inputs_bytes = static_cast<std::int64_t>(feeds_bytes(inputs.load(0)));
    Stopwatch watch;
    if (place.on_htp) {
      run_on_htp(place.model, inputs, watch);
    } else {
      run_on_cpu(inputs, watch);
    }
    result_.latency = runtime::summarize_latency(result_.runs.run_us);
    result_.warmup = runtime::summarize_latency(result_.runs.warmup_us);
    result_.peak_memory_bytes = peak_memory_bytes();
    judge();
    return std::move(result_);
  }

 private:
  void check_options() const {
    if (request_.repeat.runs < 0) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("--num_inferences {}: expected 1 or more", request_.repeat.runs));
    }
    if (request_.all_layers && request_.shared_buffer) {
      throw Error(ErrorCode::kInvalidArgument, "--debug and --shared_buffer exclude each other");
    }
  }

  void run_on_htp(const fs::path& model, NetRunInputs& inputs, Stopwatch& watch) {
    if (request_.shared_buffer || request_.all_layers) {
      throw Error(ErrorCode::kUnsupported,
                  format("{} works on the CPU only: the simulator runs in a process of its own",
                         request_.shared_buffer ? "--shared_buffer" : "--debug"));
    }
    HtpRequest chip;
    chip.soc = request_.sources.soc;
    chip.vtcm_mb = request_.sources.vtcm_mb;
    HtpModels models(chip, 1, result_.findings, progress_);
    result_.soc = models.soc().name;
    std::unique_ptr<runtime::InferenceSession> session;
    if (is_context_model(graph_)) {
      session = std::make_unique<runtime::HtpSession>(
          runtime::require_htp_installation(), model,
          htp_options(chip, models.soc(), result_.findings), chip.limits, 1, progress_);
    } else {
      session = models.open(graph_, shapes_of(inputs.load(0)));
    }
    result_.load_seconds = watch.lap_seconds();
    run_tensors(*session, inputs);
    if (request_.profile != Profiling::kOff) {
      Findings same;  // as above
      write_htp_profile(model, htp_options(chip, models.soc(), same), chip.limits, inputs);
    }
  }

  void run_on_cpu(NetRunInputs& inputs, Stopwatch& watch) {
    if (is_context_model(graph_)) {
      throw Error(
          ErrorCode::kInvalidArgument,
          format("{}: a compiled model runs on the HTP only: give --device htp", result_.model));
    }
    runtime::SessionOptions options = evaluate::session_options(graph_);
    options.threads = request_.threads;
    if (request_.shared_buffer) fix_dimensions(graph_, shapes_of(inputs.load(0)));
    const Session session(graph_, options,
                          request_.all_layers ? all_values(graph_) : std::vector<std::string>());
    result_.load_seconds = watch.lap_seconds();
    if (request_.shared_buffer) {
      run_shared(session, inputs);
    } else {
      run_tensors(session, inputs);
    }
    if (request_.profile == Profiling::kNodes) write_profile(options, inputs);
  }

  void run_tensors(const runtime::InferenceSession& session, NetRunInputs& inputs) {
    TensorModel model(session, inputs);
    OutputWriter writer(request_, session.outputs());
    result_.runs = run_repeatedly(
        model, repeat_, progress_,
        [&](std::int64_t /*index*/, std::int64_t set) { writer.write(set, model.outputs()); });
    result_.folders = writer.take_folders();
  }

  void run_shared(const Session& session, NetRunInputs& inputs) {
    SharedModel model(session, inputs);
    OutputWriter writer(request_, session.outputs());
    result_.runs =
        run_repeatedly(model, repeat_, progress_, [&](std::int64_t /*index*/, std::int64_t set) {
          if (writer.wants(set)) writer.write(set, model.outputs());
        });
    result_.folders = writer.take_folders();
    result_.copies = compare_copies(model);
  }

  /// Both ways in turn, so that a change of the clock hits both alike.
  CopyComparison compare_copies(SharedModel& model) const {
    model.load(0);
    const std::vector<std::byte> inputs = model.input_copy();
    std::vector<std::byte> outputs(model.output_bytes());
    std::vector<double> shared;
    std::vector<double> copied;
    for (std::int64_t i = 0; i < std::min(repeat_.runs, kComparedRuns); ++i) {
      Stopwatch watch;
      model.run();
      shared.push_back(watch.lap_seconds() * 1e6);
      model.copy_inputs_in(inputs);
      model.run();
      model.copy_outputs_out(outputs);
      copied.push_back(watch.lap_seconds() * 1e6);
    }
    return {backend_name(model.backend()), model.bytes(),
            runtime::summarize_latency(shared).median_us,
            runtime::summarize_latency(copied).median_us};
  }

  /// Runs of their own: timing every node slows all of them.
  void write_profile(runtime::SessionOptions options, NetRunInputs& inputs) {
    const ScratchDirectory scratch;
    options.profile_prefix = scratch.path() / "profile";
    {
      const Session session(graph_, options);
      for (std::int64_t i = 0; i < std::min(repeat_.runs, kProfiledRuns); ++i) {
        (void)session.run(inputs.load(i % inputs.sets()));
      }
    }
    for (const auto& entry : fs::directory_iterator(scratch.path())) {
      keep_profile(entry.path(), "profile.json");
    }
  }

  void keep_profile(const fs::path& from, const char* name) {
    const fs::path file = request_.output_dir / name;
    if (!request_.output_dir.empty()) fs::create_directories(request_.output_dir);
    write_file(file, read_file(from));
    result_.profile = file;
  }

  /// The provider's own profile: its process must end before the file is complete, and timing every
  /// operation slows all of them, so that these are inferences of their own, too.
  void write_htp_profile(const fs::path& model, runtime::HtpOptions options,
                         const runtime::HtpLimits& limits, NetRunInputs& inputs) {
    const ScratchDirectory scratch;
    fs::path file = model;
    if (!is_context_model(graph_)) {
      graph::Graph fixed = graph_;
      fix_dimensions(fixed, shapes_of(inputs.load(0)));
      file = scratch.path() / "model.onnx";
      formats::write_onnx(fixed, file);
    }
    options.profiling = request_.profile == Profiling::kNodes ? "detailed" : "basic";
    runtime::HtpWorker worker(runtime::require_htp_installation(), file, options, limits,
                              progress_);
    if (worker.failure()) {
      throw Error(ErrorCode::kInvalidModel,
                  format("{}: {}", result_.model, worker.failure()->reason));
    }
    for (std::int64_t i = 0; i < std::min(repeat_.runs, kProfiledHtpRuns); ++i) {
      (void)worker.run(inputs.load(i % inputs.sets()));
    }
    worker.close();
    keep_profile(worker.folder() / runtime::kProfileCsvFile, "profile.csv");
  }

  void judge() {
    if (result_.runs.differing > 0) {
      result_.findings.push_back(
          {"outputs-differ", Severity::kError, result_.model,
           format("{} of {} inferences gave other bytes than the first one on the same inputs; the "
                  "first was inference {}",
                  result_.runs.differing, result_.latency.count, result_.runs.first_differing),
           "an operation of the model is not deterministic, or memory is broken"});
    }
  }

  const NetRunRequest& request_;
  runtime::RepeatOptions repeat_;
  ProgressSink& progress_;
  graph::Graph graph_;
  NetRunResult result_;
};

}  // namespace

NetRunResult net_run(const NetRunRequest& request, ProgressSink& progress) {
  return NetRun(request, progress).run();
}

}  // namespace hexquant::pipeline
