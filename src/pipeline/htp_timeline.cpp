#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pipeline/htp_estimate.h"

namespace hexquant::pipeline {
namespace {

/// What is drawn as one box: an event, or neighbours on a lane that are merged.
struct Box {
  std::int64_t start = 0;
  std::int64_t end = 0;
  int layer = 0;
  int name = 0;
  profiling::HwUnit unit = profiling::HwUnit::kControl;
  std::int64_t longest = 0;  ///< duration of the event that gave layer, name and unit
};

using Lanes = std::vector<std::vector<Box>>;

Lanes lanes_of(const HtpGraphEstimate& graph) {
  Lanes lanes(graph.trace.lanes.size());
  for (std::size_t e = 0; e < graph.trace.events.size(); ++e) {
    const profiling::TraceEvent& event = graph.trace.events[e];
    if (event.duration == 0) continue;
    lanes[static_cast<std::size_t>(event.lane)].push_back({event.start, event.end(),
                                                           graph.layers.layer_of_event[e],
                                                           event.name, event.unit, event.duration});
  }
  return lanes;
}

/// Merges neighbours that lie within `span` cycles of the first one's start.
std::vector<Box> merged(const std::vector<Box>& boxes, std::int64_t span) {
  std::vector<Box> result;
  for (const Box& box : boxes) {
    if (result.empty() || box.end - result.back().start > span) {
      result.push_back(box);
      continue;
    }
    Box& last = result.back();
    if (box.longest > last.longest) {
      last.layer = box.layer;
      last.name = box.name;
      last.unit = box.unit;
      last.longest = box.longest;
    }
    last.end = std::max(last.end, box.end);
  }
  return result;
}

std::size_t box_count(const Lanes& lanes) {
  std::size_t count = 0;
  for (const std::vector<Box>& boxes : lanes) count += boxes.size();
  return count;
}

/// @return the lanes with at most about `limit` boxes; a lane keeps at least one
Lanes thinned(const Lanes& lanes, std::size_t limit) {
  Lanes result = lanes;
  for (std::int64_t span = 8; box_count(result) > std::max(limit, lanes.size()); span *= 2) {
    for (std::size_t l = 0; l < lanes.size(); ++l) result[l] = merged(lanes[l], span);
  }
  return result;
}

/// Index of `text` in a table that grows as texts are met.
class TextTable {
 public:
  std::size_t index(const std::string& text) {
    const auto [position, is_new] = indices_.emplace(text, texts_.size());
    if (is_new) texts_.push_back(text);
    return position->second;
  }
  [[nodiscard]] Json json() const { return texts_; }

 private:
  std::unordered_map<std::string, std::size_t> indices_;
  std::vector<std::string> texts_;
};

/// Lanes in the order of the vendor's threads: foreground, HVX, DMA.
std::vector<std::size_t> by_thread(const std::vector<profiling::TraceLane>& lanes) {
  std::vector<std::size_t> order(lanes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lanes[a].thread < lanes[b].thread; });
  return order;
}

/// One flat list a lane: start, length, layer, operation, unit of each box.
Json lane_json(const std::string& name, const std::vector<Box>& boxes, const Json& layer_index,
               const std::vector<std::string>& names, TextTable& operations) {
  Json flat = Json::array();
  for (const Box& box : boxes) {
    flat.push_back(box.start);
    flat.push_back(box.end - box.start);
    flat.push_back(layer_index[static_cast<std::size_t>(box.layer)]);
    flat.push_back(operations.index(names[static_cast<std::size_t>(box.name)]));
    flat.push_back(static_cast<int>(box.unit));
  }
  return {{"name", name}, {"boxes", std::move(flat)}};
}

/// Use of VTCM as start and bytes in turn; of neighbours too close to tell apart, the largest.
Json vtcm_json(const std::vector<profiling::VtcmUse>& uses, std::size_t limit) {
  const std::size_t step = uses.size() / std::max<std::size_t>(limit, 1) + 1;
  Json flat = Json::array();
  for (std::size_t first = 0; first < uses.size(); first += step) {
    const std::size_t last = std::min(first + step, uses.size());
    std::int64_t bytes = 0;
    for (std::size_t i = first; i < last; ++i) bytes = std::max(bytes, uses[i].bytes);
    flat.push_back(uses[first].start);
    flat.push_back(bytes);
  }
  return flat;
}

}  // namespace

Json timeline_json(const HtpEstimate& estimate, std::size_t max_events) {
  Json graphs = Json::array();
  TextTable layers;
  TextTable operations;
  for (const HtpGraphEstimate& graph : estimate.graphs) {
    if (graph.trace.events.empty()) return nullptr;
    Json layer_index = Json::array();
    for (const HtpLayer& layer : graph.layers.layers) {
      layer_index.push_back(layers.index(layer.name));
    }
    const std::size_t limit = max_events / estimate.graphs.size();
    const Lanes lanes = thinned(lanes_of(graph), limit);
    Json rows = Json::array();
    for (const std::size_t l : by_thread(graph.trace.lanes)) {
      if (lanes[l].empty()) continue;
      rows.push_back(lane_json(graph.trace.lanes[l].name, lanes[l], layer_index, graph.trace.names,
                               operations));
    }
    graphs.push_back({{"cycles", graph.times.cycles},
                      {"lanes", std::move(rows)},
                      {"vtcm", vtcm_json(graph.trace.vtcm, limit / 4)},
                      {"vtcm_bytes", graph.trace.machine.vtcm_bytes}});
  }
  if (graphs.empty()) return nullptr;
  return {
      {"graphs", std::move(graphs)}, {"layers", layers.json()}, {"operations", operations.json()}};
}

}  // namespace hexquant::pipeline
