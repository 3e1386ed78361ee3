#include "pipeline/vendor_view.h"

#include <algorithm>
#include <limits>

#include "core/scratch_directory.h"
#include "formats/onnx/onnx_io.h"
#include "pipeline/compile_model.h"
#include "pipeline/htp_estimate_findings.h"
#include "runtime/htp/htp_installation.h"
#include "target/target.h"

namespace hexquant::pipeline {

VendorView ask_vendor(const graph::Graph& model, const std::string& soc,
                      const std::map<std::string, Shape>& shapes, ProgressSink& progress) {
  const ScratchDirectory scratch;
  CompileRequest request;
  request.model = (scratch.path() / "model.onnx").string();
  request.htp.soc = soc;
  request.input_shapes = shapes;
  request.estimate = true;
  formats::write_onnx(model, request.model);
  const CompileResult result = compile_model(request, progress);
  VendorView view;
  if (result.failure) {
    view.failure = result.failure->reason;
    return view;
  }
  const auto& nodes = result.placement.nodes;
  view.nodes_elsewhere =
      static_cast<int>(std::count_if(nodes.begin(), nodes.end(), [](const target::Placement& node) {
        const bool is_elsewhere =
            node.unit == target::Unit::kCpu || node.unit == target::Unit::kNpuFloat;
        return is_elsewhere && !is_border_conversion(node);
      }));
  if (result.estimate && result.estimate->is_available()) {
    view.time_us = result.estimate->time_us();
  }
  return view;
}

Findings check_estimates(const std::string& soc) {
  const target::Soc chip = target::load_target(soc).soc;
  (void)runtime::require_htp_installation();
  if (chip.vendor_estimates) return {};
  return estimate_findings({.soc = chip.name, .htp_arch = chip.htp_arch}, {}, {});
}

Json to_json(const VendorView& view) {
  Json json;
  json["time_us"] = view.time_us ? Json(view.time_us->value) : Json(nullptr);
  json["lower_us"] = view.time_us ? Json(view.time_us->lower) : Json(nullptr);
  json["upper_us"] = view.time_us ? Json(view.time_us->upper) : Json(nullptr);
  json["nodes_elsewhere"] = view.nodes_elsewhere;
  json["failure"] = view.failure;
  return json;
}

VendorView vendor_view_from_json(const JsonCursor& json) {
  VendorView view;
  if (!json.at("time_us").json().is_null()) {
    view.time_us = {json.at("time_us").number(), json.at("lower_us").number(),
                    json.at("upper_us").number()};
  }
  view.nodes_elsewhere =
      static_cast<int>(json.at("nodes_elsewhere").integer(0, std::numeric_limits<int>::max()));
  view.failure = json.at("failure").text();
  return view;
}

}  // namespace hexquant::pipeline
