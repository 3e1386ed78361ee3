#include "pipeline/compile_model.h"

#include <utility>

#include "core/file_io.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "core/scratch_directory.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "passes/infer_shapes.h"
#include "pipeline/placement_lint.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr const char* kContextAttribute = "ep_cache_context";

bool is_context(const graph::Node& node) {
  return node.op_type() == "EPContext";
}

graph::Graph read_model(const CompileRequest& request) {
  graph::Graph graph = formats::read_onnx(request.model);
  for (const graph::Node& node : graph.nodes()) {
    if (!is_context(node)) continue;
    throw Error(ErrorCode::kInvalidModel,
                format("{}: node '{}' is an EPContext: the model is compiled already",
                       request.model, node.name()));
  }
  fix_dimensions(graph, request.input_shapes);
  return graph;
}

std::map<std::string, Shape> shapes_of_inputs(const graph::Graph& graph) {
  std::map<std::string, Shape> shapes;
  for (const std::string& name : graph.inputs()) {
    const graph::ValueType* type = graph.find_type(name);
    if (type != nullptr && type->fixed_shape()) shapes[name] = *type->fixed_shape();
  }
  return shapes;
}

/// The rules look at shapes where they are known; what stays unknown is one of its findings.
target::PlacementReport predict_by_rules(const target::Rules& rules, graph::Graph graph) {
  const passes::PassReport shapes = passes::infer_shapes(graph, {});
  target::PlacementReport placement = target::predict_placement(rules, graph);
  append(placement.findings, shapes.findings);
  return placement;
}

/// One compilation: the request, the files of the vendor's process, and what became of it.
class Compilation {
 public:
  Compilation(const CompileRequest& request, ProgressSink& progress)
      : request_(request),
        progress_(progress),
        target_(target::load_target(request.htp.soc)),
        installation_(runtime::require_htp_installation()),
        graph_(read_model(request)) {
    result_.soc = target_.soc;
    options_ = htp_options(request.htp, target_.soc, result_.findings);
    options_.io_on_device = request.io_on_device;
    options_.trace = true;
    result_.vtcm_mb = options_.vtcm_mb;
    result_.optimization = options_.optimization;
    result_.input_shapes = shapes_of_inputs(graph_);
    model_ = scratch_.path() / "model.onnx";
    formats::write_onnx(graph_, model_);
  }

  CompileResult run() {
    predict();
    compile();
    if (!result_.failure && request_.dlc) write_container();
    return std::move(result_);
  }

 private:
  void predict() { result_.predicted = predict_by_rules(target_.rules, graph_); }

  void compile() {
    runtime::HtpOptions options = options_;
    options.write_context = !request_.dlc;
    options.estimate = request_.estimate;
    runtime::HtpWorker worker(installation_, model_, options, request_.htp.limits, progress_);
    worker.close();
    result_.failure = worker.failure();
    result_.seconds = worker.open_seconds();
    result_.peak_memory_bytes = worker.peak_memory_bytes();
    if (result_.failure) {
      explain();
      return;
    }
    result_.placement = vendor_placement(graph_, read_vendor_files(worker.folder(), worker.log()));
    if (request_.estimate) {
      result_.estimate = read_htp_estimate(worker.folder(), graph_, target_.soc.name);
    }
    if (!request_.dlc && !request_.output.empty()) write_context(worker.folder());
  }

  /// A rejection is asked for again with everything that the provider has to say; a crash or a
  /// hang is not repeated.
  void explain() {
    if (result_.failure->kind != runtime::HtpFailureKind::kRejected) return;
    runtime::HtpOptions options = options_;
    options.log_level = 0;
    const runtime::HtpWorker worker(installation_, model_, options, request_.htp.limits, progress_);
    result_.placement =
        explained(read_vendor_files(worker.folder(), worker.log(), result_.failure->reason));
  }

  /// The vendor's answer with the rules' reasons and advice, and what it accepts but gets wrong.
  [[nodiscard]] target::PlacementReport explained(const VendorFiles& files) const {
    return explain_placement(vendor_placement(graph_, files), result_.predicted);
  }

  /// Copies the context binaries beside the EPContext model and has it refer to them there.
  void write_context(const fs::path& folder) {
    const fs::path context = folder / runtime::kContextModelFile;
    if (!fs::exists(context)) {
      result_.findings.push_back({"nothing-on-npu", Severity::kError, request_.model,
                                  "no node can run on the NPU: no context binary is written",
                                  "see the reasons of the nodes"});
      return;
    }
    graph::Graph model = formats::read_onnx(context);
    std::map<std::string, fs::path> renamed;
    for (const graph::Node* node : model.node_list()) {
      const std::string file = node->string_attribute(kContextAttribute, "");
      if (!is_context(*node) || file.empty()) continue;
      if (!renamed.contains(file)) renamed[file] = binary_path(renamed.size());
      model.set_attribute(*node, kContextAttribute, renamed[file].filename().string());
    }
    for (const auto& [file, path] : renamed) copy(folder / file, path);
    const fs::path path = fs::path(request_.output).replace_extension(".onnx");
    formats::write_onnx(model, path);
    result_.files.push_back({path, fs::file_size(path)});
  }

  [[nodiscard]] fs::path binary_path(std::size_t index) const {
    if (index == 0) return request_.output;
    fs::path path = request_.output;
    const std::string extension = path.extension().string();
    path.replace_extension();
    path += format("_{}{}", index + 1, extension);
    return path;
  }

  void copy(const fs::path& from, const fs::path& to) {
    const std::string bytes = read_file(from);
    write_file(to, bytes);
    result_.files.push_back({to, bytes.size()});
  }

  /// The container needs a session of its own: with it, nothing is compiled.
  void write_container() {
    runtime::HtpOptions options = options_;
    options.trace = false;
    options.write_dlc = true;
    runtime::HtpWorker worker(installation_, model_, options, request_.htp.limits, progress_);
    worker.close();
    result_.failure = worker.failure();
    if (result_.failure || request_.output.empty()) return;
    std::size_t count = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(worker.folder())) {
      if (entry.path().extension() == ".dlc") copy(entry.path(), binary_path(count++));
    }
  }

  const CompileRequest& request_;
  ProgressSink& progress_;
  target::Target target_;  // before the installation: a wrong chip is told without the wheel
  runtime::HtpInstallation installation_;
  graph::Graph graph_;
  runtime::HtpOptions options_;
  ScratchDirectory scratch_;
  fs::path model_;
  CompileResult result_;
};

/// What a user should know of the nodes: one finding for each that is not computed in integers.
/// Conversions at the borders are what the provider does unless told otherwise: a fact, no fault.
Findings placement_findings(const target::PlacementReport& placement) {
  Findings findings = placement.findings;
  for (const target::Rejection& node : placement.rejections) {
    findings.push_back({"rejected", Severity::kError, node.node, node.reason, node.fix});
  }
  for (const target::Placement& node : placement.nodes) {
    const bool on_cpu = node.unit == target::Unit::kCpu;
    if (!on_cpu && node.unit != target::Unit::kNpuFloat) continue;
    if (is_border_conversion(node)) {
      findings.push_back(
          {"border-conversion", Severity::kInfo, node.node, node.reason,
           "--io-on-device moves it to the NPU; 8-bit inputs and outputs need none"});
      continue;
    }
    findings.push_back({on_cpu ? "runs-on-cpu" : "runs-in-float", Severity::kWarning, node.node,
                        node.reason, node.fix});
  }
  return findings;
}

}  // namespace

bool is_border_conversion(const target::Placement& node) noexcept {
  return node.unit == target::Unit::kCpu &&
         (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear");
}

std::optional<std::int64_t> CompileResult::spill_fill_bytes() const {
  if (!estimate || !estimate->is_available()) return std::nullopt;
  const profiling::DdrBytes bytes = estimate->ddr_bytes();
  return bytes.intermediate_fill + bytes.intermediate_spill;
}

PlacementPrediction predict_compilation(const CompileRequest& request) {
  const target::Target target = target::load_target(request.htp.soc);
  target::PlacementReport placement = predict_by_rules(target.rules, read_model(request));
  placement.findings = placement_findings(placement);
  return {target.soc, std::move(placement)};
}

CompileResult compile_model(const CompileRequest& request, ProgressSink& progress) {
  CompileResult result = Compilation(request, progress).run();
  const Findings of_nodes = placement_findings(result.placement);
  append(result.findings, of_nodes);
  if (result.estimate) {
    const Findings& doubts = result.estimate->findings;
    append(result.findings, doubts);
  }
  return result;
}

}  // namespace hexquant::pipeline
