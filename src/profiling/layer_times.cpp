#include "profiling/layer_times.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "hexquant/error.h"

namespace hexquant::profiling {
namespace {

std::size_t index_of(HwUnit unit) {
  return static_cast<std::size_t>(unit);
}

/// Start (+1) or end (-1) of an event.
struct Edge {
  std::int64_t time = 0;
  int layer = 0;
  HwUnit unit = HwUnit::kControl;
  int step = 0;
};

std::vector<Edge> edges_of(const Optrace& trace, const std::vector<int>& layer_of_event) {
  std::vector<Edge> edges;
  edges.reserve(2 * trace.events.size());
  for (std::size_t e = 0; e < trace.events.size(); ++e) {
    const TraceEvent& event = trace.events[e];
    if (event.duration == 0) continue;
    edges.push_back({event.start, layer_of_event[e], event.unit, 1});
    edges.push_back({event.end(), layer_of_event[e], event.unit, -1});
  }
  std::stable_sort(edges.begin(), edges.end(),
                   [](const Edge& a, const Edge& b) { return a.time < b.time; });
  return edges;
}

/// Events that run at one instant, by layer: a few at a time.
class Active {
 public:
  using Counts = std::array<int, kHwUnitCount>;
  struct Entry {
    int layer = 0;
    Counts counts{};
    [[nodiscard]] bool uses(HwUnit unit) const { return counts[index_of(unit)] > 0; }
    [[nodiscard]] bool computes() const { return uses(HwUnit::kHmx) || uses(HwUnit::kHvx); }
  };

  void apply(const Edge& edge) {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.layer == edge.layer; });
    Entry& entry = found != entries_.end() ? *found : entries_.emplace_back(Entry{edge.layer, {}});
    entry.counts[index_of(edge.unit)] += edge.step;
    if (entry.counts == Counts{}) entries_.erase(entries_.begin() + (&entry - entries_.data()));
  }
  [[nodiscard]] std::span<const Entry> entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

/// The units that count at an instant: the first of these groups at which anyone works.
constexpr std::array<std::array<HwUnit, 2>, 3> kGroups = {{{HwUnit::kHmx, HwUnit::kHvx},
                                                           {HwUnit::kDma, HwUnit::kDma},
                                                           {HwUnit::kControl, HwUnit::kControl}}};

/// Gives `cycles` of one instant to the layers that account for them.
void attribute(std::span<const Active::Entry> entries, std::int64_t cycles, RunTimes& run) {
  for (const auto& [first, second] : kGroups) {
    const auto works = [&, first = first, second = second](const Active::Entry& entry) {
      return entry.uses(first) || entry.uses(second);
    };
    const auto sharers = std::count_if(entries.begin(), entries.end(), works);
    if (sharers == 0) continue;
    const double part = static_cast<double>(cycles) / static_cast<double>(sharers);
    bool uses_first = false;
    for (const Active::Entry& entry : entries) {
      if (!works(entry)) continue;
      const HwUnit unit = entry.uses(first) ? first : second;
      run.layers[static_cast<std::size_t>(entry.layer)].attributed[index_of(unit)] += part;
      uses_first = uses_first || unit == first;
    }
    run.exclusive[index_of(uses_first ? first : second)] += static_cast<double>(cycles);
    return;
  }
  run.idle += cycles;
}

void add_busy(std::span<const Active::Entry> entries, std::int64_t cycles, RunTimes& run) {
  std::array<bool, kHwUnitCount> works{};
  for (const Active::Entry& entry : entries) {
    LayerTimes& layer = run.layers[static_cast<std::size_t>(entry.layer)];
    for (std::size_t unit = 0; unit < works.size(); ++unit) {
      if (entry.counts[unit] == 0) continue;
      layer.busy[unit] += cycles;
      works[unit] = true;
    }
    layer.hvx_thread_cycles += cycles * entry.counts[index_of(HwUnit::kHvx)];
  }
  for (std::size_t unit = 0; unit < works.size(); ++unit) {
    if (works[unit]) run.busy[unit] += cycles;
  }
}

/// VTCM use along the time axis, for queries that move forward.
class VtcmWalk {
 public:
  explicit VtcmWalk(const std::vector<VtcmUse>& uses) : uses_(uses) {}

  /// Largest use in [begin, end); begins must not decrease.
  std::int64_t peak(std::int64_t begin, std::int64_t end) {
    while (next_ < uses_.size() && uses_[next_].start <= begin) current_ = uses_[next_++].bytes;
    std::int64_t largest = current_;
    for (std::size_t i = next_; i < uses_.size() && uses_[i].start < end; ++i) {
      largest = std::max(largest, uses_[i].bytes);
    }
    return largest;
  }

 private:
  const std::vector<VtcmUse>& uses_;
  std::size_t next_ = 0;
  std::int64_t current_ = 0;
};

void sweep(const Optrace& trace, const std::vector<Edge>& edges, RunTimes& run) {
  Active active;
  VtcmWalk vtcm(trace.vtcm);
  std::int64_t now = 0;
  const auto advance = [&](std::int64_t to) {
    if (to == now) return;
    attribute(active.entries(), to - now, run);
    add_busy(active.entries(), to - now, run);
    const std::int64_t peak = vtcm.peak(now, to);
    for (const Active::Entry& entry : active.entries()) {
      LayerTimes& layer = run.layers[static_cast<std::size_t>(entry.layer)];
      if (entry.computes()) layer.vtcm_peak_bytes = std::max(layer.vtcm_peak_bytes, peak);
    }
    now = to;
  };
  for (const Edge& edge : edges) {
    advance(edge.time);
    active.apply(edge);
  }
  advance(run.cycles);
}

void add_bytes(const Optrace& trace, const std::vector<int>& layer_of_event, RunTimes& run) {
  std::unordered_set<std::uint64_t> moved_by_dma;
  for (const TraceEvent& event : trace.events) {
    if (event.unit == HwUnit::kDma) moved_by_dma.insert(event.id);
  }
  for (std::size_t e = 0; e < trace.events.size(); ++e) {
    const TraceEvent& event = trace.events[e];
    const bool is_dma = event.unit == HwUnit::kDma;
    if (event.unit == HwUnit::kControl || (!is_dma && moved_by_dma.contains(event.id))) continue;
    LayerTimes& layer = run.layers[static_cast<std::size_t>(layer_of_event[e])];
    layer.dram_read_bytes += event.dram_read_bytes;
    layer.dram_write_bytes += event.dram_write_bytes;
    if (!is_dma) continue;
    layer.dma_read_bytes += event.dram_read_bytes;
    layer.dma_write_bytes += event.dram_write_bytes;
  }
}

void add_extents(const Optrace& trace, const std::vector<int>& layer_of_event, RunTimes& run) {
  std::vector<bool> is_seen(run.layers.size());
  std::vector<std::unordered_set<std::uint64_t>> ids(run.layers.size());
  std::map<std::pair<int, int>, std::int64_t> tiles;  // by layer and name
  for (std::size_t e = 0; e < trace.events.size(); ++e) {
    const TraceEvent& event = trace.events[e];
    const auto l = static_cast<std::size_t>(layer_of_event[e]);
    LayerTimes& layer = run.layers[l];
    layer.start = is_seen[l] ? std::min(layer.start, event.start) : event.start;
    layer.end = std::max(layer.end, event.end());
    is_seen[l] = true;
    if (event.unit != HwUnit::kControl) ids[l].insert(event.id);
    if (event.unit != HwUnit::kHmx && event.unit != HwUnit::kHvx) continue;
    const std::int64_t same = ++tiles[{layer_of_event[e], event.name}];
    layer.tiles = std::max(layer.tiles, same);
  }
  for (std::size_t l = 0; l < ids.size(); ++l) {
    run.layers[l].hardware_ops = static_cast<std::int64_t>(ids[l].size());
  }
}

}  // namespace

double LayerTimes::attributed_cycles() const noexcept {
  return std::accumulate(attributed.begin(), attributed.end(), 0.0);
}

RunTimes layer_times(const Optrace& trace, const std::vector<int>& layer_of_event, int layer_count,
                     std::int64_t cycles) {
  HEXQUANT_CHECK(layer_of_event.size() == trace.events.size(), "one layer for each event");
  RunTimes run;
  run.layers.resize(static_cast<std::size_t>(layer_count));
  const std::vector<Edge> edges = edges_of(trace, layer_of_event);
  run.cycles = std::max<std::int64_t>(cycles, edges.empty() ? 0 : edges.back().time);
  for (const VtcmUse& use : trace.vtcm) {
    run.vtcm_peak_bytes = std::max(run.vtcm_peak_bytes, use.bytes);
  }
  sweep(trace, edges, run);
  add_bytes(trace, layer_of_event, run);
  add_extents(trace, layer_of_event, run);
  return run;
}

}  // namespace hexquant::profiling
