#include "pipeline/what_if.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/format.h"
#include "hexquant/error.h"
#include "perf/workload_edit.h"

namespace hexquant::pipeline {
namespace {

[[noreturn]] void refuse(const std::string& change, const std::string& expected) {
  throw Error(ErrorCode::kInvalidArgument,
              format("--what-if {}: {} was expected", change, expected));
}

std::int64_t parse_number(const std::string& text, const std::string& change,
                          const std::string& expected) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value <= 0) {
    refuse(change, expected);
  }
  return value;
}

/// "w4a16", "w4", "a16".
plan::LayerBits parse_layer_bits(const std::string& pattern, const std::string& widths,
                                 const std::string& change) {
  const char* expected = "layer:PATTERN=w4a16 (w 4, 8 or 16; a 8 or 16)";
  plan::LayerBits bits;
  bits.pattern = pattern;
  const std::size_t a = widths.find('a');
  const std::string weight = widths.substr(0, a);
  if (!weight.empty()) {
    if (weight[0] != 'w') refuse(change, expected);
    bits.weight_bits = static_cast<int>(parse_number(weight.substr(1), change, expected));
  }
  if (a != std::string::npos) {
    bits.act_bits = static_cast<int>(parse_number(widths.substr(a + 1), change, expected));
  }
  return bits;
}

/// One change, taken apart.
struct Change {
  AnalyzeRequest request;  ///< after it
  std::optional<std::int64_t> resolution;
  bool integer_borders = false;
  std::optional<int> act_bits;  ///< of a QDQ model
  std::optional<int> weight_bits;
};

Change parse_change(const std::string& text, const AnalyzeRequest& request) {
  Change change;
  change.request = request;
  const std::size_t equal = text.rfind('=');
  const std::string key = text.substr(0, equal);
  const std::string value = equal == std::string::npos ? "" : text.substr(equal + 1);
  if (key == "act-bits") {
    if (value != "8" && value != "16") refuse(text, "act-bits=8 or 16");
    change.request.plan.act_bits = value == "8" ? 8 : 16;
    change.act_bits = change.request.plan.act_bits;
  } else if (key == "weight-bits") {
    change.request.plan.weight_bits_everywhere = value == "4:all";
    const std::string bits = value.substr(0, value.find(':'));
    if (bits != "4" && bits != "8" && bits != "16") refuse(text, "weight-bits=4, 4:all, 8 or 16");
    change.request.plan.weight_bits = std::stoi(bits);
    change.weight_bits = change.request.plan.weight_bits;
  } else if (key.rfind("layer:", 0) == 0 && !value.empty()) {
    change.request.plan.layer_bits.push_back(parse_layer_bits(key.substr(6), value, text));
  } else if (key == "vtcm-mb") {
    change.request.predict.vtcm_mb = parse_number(value, text, "vtcm-mb=N");
  } else if (text == "dlbc") {
    change.request.predict.dlbc = true;
  } else if (key == "soc" && !value.empty()) {
    change.request.soc = value;
    change.request.soc_figures.clear();
  } else if (key == "resolution") {
    change.resolution = parse_number(value, text, "resolution=N");
  } else if (text == "borders=uint8") {
    change.integer_borders = true;
  } else {
    refuse(text,
           "act-bits=, weight-bits=, layer:PATTERN=, vtcm-mb=, dlbc, soc=, resolution=, "
           "borders=uint8 or all");
  }
  return change;
}

/// Height and width of every four-dimensional input; the channels are the shorter of both ends.
void set_resolution(graph::Graph& graph, std::int64_t size) {
  bool changed = false;
  for (const std::string& input : graph.inputs()) {
    graph::ValueType type = *graph.find_type(input);
    if (!type.shape || type.shape->size() != 4) continue;
    std::vector<graph::Dim>& dims = *type.shape;
    const bool channels_last =
        dims[3].is_fixed() && dims[1].is_fixed() && dims[3].value < dims[1].value;
    dims[channels_last ? 1 : 2] = {size, ""};
    dims[channels_last ? 2 : 3] = {size, ""};
    graph.set_input_type(input, std::move(type));
    changed = true;
  }
  if (!changed) throw Error(ErrorCode::kInvalidArgument, "the model has no image input");
  for (const graph::Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) graph.erase_type(output);
  }
}

/// What widths mean for a model whose Q/DQ pairs stand: the same operations on other bytes.
void set_widths(perf::Workload& work, const Change& change) {
  if (change.act_bits) perf::set_activation_bits(work, *change.act_bits);
  if (!change.weight_bits) return;
  for (std::size_t i = 0; i < work.operations.size(); ++i) {
    if (work.operations[i].weight_bits > 0) perf::set_weight_bits(work, i, *change.weight_bits);
  }
}

WhatIf predict_change(const std::string& text, const graph::Graph& model,
                      const AnalyzeRequest& request, const Analysis& now) {
  WhatIf row;
  row.change = text;
  const Change change = parse_change(text, request);
  try {
    const target::Target target = analysis_target(change.request);
    perf::Workload work = now.workload;
    if (now.was_float || change.resolution) {
      graph::Graph graph = model;
      if (change.resolution) set_resolution(graph, *change.resolution);
      const AnalysisGraph input = analysis_graph(std::move(graph), change.request, target);
      work = perf::make_workload(input.graph, target::predict_placement(target.rules, input.graph));
    }
    if (!now.was_float) set_widths(work, change);
    if (change.integer_borders) perf::quantize_borders(work);
    const perf::Prediction after = perf::predict(work, target.soc, change.request.predict);
    row.time_us = after.time_us;
    row.ddr_bytes = after.ddr_bytes;
    row.spill_bytes = after.vtcm.spill_bytes + after.vtcm.fill_bytes;
    row.vtcm_peak_bytes = after.vtcm.peak_bytes;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCancelled) throw;
    row.problem = error.what();
  }
  return row;
}

/// What is worth a look for this model.
std::vector<std::string> usual_changes(const AnalyzeRequest& request, const Analysis& now) {
  std::vector<std::string> changes = {"act-bits=8", "act-bits=16", "weight-bits=4",
                                      "borders=uint8"};
  const auto largest = static_cast<std::int64_t>(now.soc.vtcm_max_mb.value.value_or(0.0));
  for (const std::int64_t megabytes : {2, 4, 8, 16}) {
    if (megabytes <= largest) changes.push_back(format("vtcm-mb={}", megabytes));
  }
  changes.emplace_back("dlbc");
  for (const char* soc : {"SM8550", "SM8650", "SM8750", "SM8850"}) {
    if (request.soc != soc) changes.push_back(format("soc={}", soc));
  }
  return changes;
}

}  // namespace

std::vector<WhatIf> what_if(const graph::Graph& model, const AnalyzeRequest& request,
                            const Analysis& now, const std::vector<std::string>& changes) {
  std::vector<std::string> all;
  for (const std::string& change : changes) {
    if (change != "all") {
      all.push_back(change);
      continue;
    }
    const std::vector<std::string> usual = usual_changes(request, now);
    all.insert(all.end(), usual.begin(), usual.end());
  }
  std::vector<WhatIf> rows;
  rows.reserve(all.size());
  for (const std::string& change : all) {
    rows.push_back(predict_change(change, model, request, now));
  }
  return rows;
}

}  // namespace hexquant::pipeline
