#include "pipeline/htp_model.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/format.h"
#include "formats/onnx/onnx_io.h"
#include "graph/subgraph.h"
#include "hexquant/error.h"
#include "passes/fix_input_shapes.h"
#include "runtime/htp/htp_session.h"
#include "target/node_unit.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

/// The backend's own assumption when nothing is asked; for chips whose size is not known.
constexpr int kUnknownVtcm_mb = 4;

int vtcm_of(const target::Soc& soc) {
  const auto& known = soc.vtcm_max_mb.value ? soc.vtcm_max_mb : soc.vtcm_default_mb;
  return known.value ? static_cast<int>(*known.value) : kUnknownVtcm_mb;
}

/// Symbols of free first dimensions: the batch, wherever else it stands.
std::set<std::string> batch_symbols(const graph::Graph& graph) {
  std::set<std::string> symbols;
  for (const std::string& name : graph.inputs()) {
    const graph::ValueType* type = graph.find_type(name);
    if (type == nullptr || !type->shape || type->shape->empty()) continue;
    const graph::Dim& first = type->shape->front();
    if (!first.is_fixed() && !first.symbol.empty()) symbols.insert(first.symbol);
  }
  return symbols;
}

Shape with_batch_one(const std::string& name, const graph::ValueType& type,
                     const std::set<std::string>& batch) {
  Shape shape;
  for (std::size_t axis = 0; axis < type.shape->size(); ++axis) {
    const graph::Dim& dim = (*type.shape)[axis];
    if (!dim.is_fixed() && axis > 0 && !batch.contains(dim.symbol)) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("input '{}': dimension {} is free and the HTP needs it fixed: give "
                         "--input-shape {}=D0,D1,...",
                         name, axis, name));
    }
    shape.push_back(dim.is_fixed() ? dim.value : 1);
  }
  return shape;
}

}  // namespace

runtime::HtpOptions htp_options(const HtpRequest& request, const target::Soc& soc,
                                Findings& findings) {
  const int most_mb = vtcm_of(soc);
  runtime::HtpOptions options;
  options.soc_model = soc.soc_model;
  options.vtcm_mb = request.vtcm_mb == 0 ? most_mb : std::min(request.vtcm_mb, most_mb);
  options.optimization = request.optimization;
  options.float16 = soc.htp_arch != "v68";  // has no float16 hardware
  if (request.vtcm_mb > most_mb) {
    findings.push_back(
        {"vtcm-clamped", Severity::kWarning, soc.name,
         format("{} MB of VTCM asked for; the chip has {}", request.vtcm_mb, most_mb),
         format("use --vtcm-mb {} or less", most_mb)});
  }
  return options;
}

void fix_dimensions(graph::Graph& graph, const std::map<std::string, Shape>& shapes) {
  std::map<std::string, Shape> all = shapes;
  const std::set<std::string> batch = batch_symbols(graph);
  for (const std::string& name : graph.inputs()) {
    const graph::ValueType* type = graph.find_type(name);
    if (all.contains(name) || type == nullptr || !type->shape || type->fixed_shape()) continue;
    all[name] = with_batch_one(name, *type, batch);
  }
  passes::fix_input_shapes(graph, all);
}

bool fix_known_batch(graph::Graph& graph) {
  const std::set<std::string> batch = batch_symbols(graph);
  std::map<std::string, graph::ValueType> fixed;
  const auto fix = [&](const std::string& value) {
    const graph::ValueType* known = graph.find_type(value);
    if (known == nullptr || !known->shape) return false;
    graph::ValueType type = *known;
    for (graph::Dim& dim : *type.shape) {
      if (!dim.is_fixed() && batch.contains(dim.symbol)) dim = {1, ""};
    }
    if (!type.fixed_shape()) return false;
    fixed[value] = std::move(type);
    return true;
  };
  for (const std::string& input : graph.inputs()) {
    if (!fix(input)) return false;
  }
  for (const graph::Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) {
      // Parts of pairs have the shape of what they are made from.
      if (output.empty() || (target::is_pair_part(node) && graph.find_type(output) == nullptr)) {
        continue;
      }
      if (!fix(output)) return false;
    }
  }
  for (auto& [value, type] : fixed) graph.set_type(value, std::move(type));
  return true;
}

std::map<std::string, Shape> shapes_of(const runtime::Feeds& sample) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : sample) shapes[name] = tensor.shape();
  return shapes;
}

HtpModels::HtpModels(const HtpRequest& request, int workers, Findings& findings,
                     ProgressSink& progress)
    : soc_(target::load_target(request.soc).soc),
      installation_(runtime::require_htp_installation()),
      options_(htp_options(request, soc_, findings)),
      limits_(request.limits),
      workers_(workers),
      progress_(progress) {}

std::unique_ptr<runtime::InferenceSession> HtpModels::open(
    const graph::Graph& graph, const std::map<std::string, Shape>& shapes,
    const std::vector<std::string>& outputs) {
  graph::Graph fixed =
      outputs.empty() ? graph : graph::extract_subgraph(graph, graph.inputs(), outputs);
  std::map<std::string, Shape> known;
  for (const auto& [name, shape] : shapes) {
    if (fixed.is_input(name)) known[name] = shape;
  }
  fix_dimensions(fixed, known);
  const std::filesystem::path file = scratch_.path() / format("model_{}.onnx", files_++);
  formats::write_onnx(fixed, file);
  return std::make_unique<runtime::HtpSession>(installation_, file, options_, limits_, workers_,
                                               progress_);
}

}  // namespace hexquant::pipeline
