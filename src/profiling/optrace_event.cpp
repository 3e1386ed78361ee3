#include "profiling/optrace_event.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace hexquant::profiling {
namespace {

std::uint64_t hex_id(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::uint64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id, 16);
  return id;
}

/// Unit that a flag of the trace names; nullopt for flags that name none.
std::optional<HwUnit> unit_of_flag(std::string_view flag) {
  if (flag == "uses_hmx" || flag == "for_hmx") return HwUnit::kHmx;
  if (flag == "for_hvx") return HwUnit::kHvx;
  if (flag == "for_dma" || flag == "for_hvx_dma") return HwUnit::kDma;
  if (flag == "scalar") return HwUnit::kControl;
  return std::nullopt;
}

std::int64_t integer_or_skip(JsonScanner& scanner) {
  if (scanner.at_number()) return scanner.integer();
  scanner.skip();
  return 0;
}

/// A position on the time axis or a count of bytes: never negative, and small enough that sums of
/// millions of them stay in range.
std::int64_t bounded(std::int64_t value) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 40;
  return std::clamp<std::int64_t>(value, 0, kLimit);
}

}  // namespace

/// Members of one element, before its phase is known.
struct TraceEventReader::Element {
  std::string_view phase;
  std::string_view name;
  std::string_view lane_name;  ///< "args.name" of thread_name
  std::optional<HwUnit> unit;
  TraceEvent event;
  std::int64_t thread = 0;
  std::int64_t counter_bytes = 0;
};

void TraceEventReader::read_arguments(JsonScanner& scanner, Element& element) const {
  scanner.object([&](std::string_view key) {
    if (key == "id") {
      element.event.id = hex_id(scanner.raw_string());
    } else if (key == "flags") {
      scanner.array([&] {
        const auto unit = unit_of_flag(scanner.raw_string());
        if (unit) element.unit = unit;
      });
    } else if (key == "bw_info") {
      scanner.object([&](std::string_view kind) {
        const std::int64_t value = bounded(integer_or_skip(scanner));
        if (kind == "dram_read") element.event.dram_read_bytes = value;
        if (kind == "dram_write") element.event.dram_write_bytes = value;
      });
    } else if (key == "Bytes") {
      element.counter_bytes = bounded(integer_or_skip(scanner));
    } else if (key == "name") {
      element.lane_name = scanner.raw_string();
    } else {
      scanner.skip();
    }
  });
}

void TraceEventReader::read(JsonScanner& scanner) {
  Element element;
  scanner.object([&](std::string_view key) {
    if (key == "ph") {
      element.phase = scanner.raw_string();
    } else if (key == "name") {
      element.name = scanner.raw_string();
    } else if (key == "tid") {
      element.thread = integer_or_skip(scanner);
    } else if (key == "ts") {
      element.event.start = bounded(integer_or_skip(scanner));
    } else if (key == "dur") {
      element.event.duration = bounded(integer_or_skip(scanner));
    } else if (key == "args") {
      read_arguments(scanner, element);
    } else {
      scanner.skip();
    }
  });
  if (element.phase == "X") {
    add_interval(element);
  } else if (element.phase == "C" && element.name == "TCM usage") {
    trace_.vtcm.push_back({element.event.start, element.counter_bytes});
  } else if (element.phase == "M" && element.name == "thread_name") {
    if (element.lane_name.ends_with(':')) element.lane_name.remove_suffix(1);
    const int lane = lane_of(static_cast<int>(element.thread));
    trace_.lanes[static_cast<std::size_t>(lane)].name = element.lane_name;
  }
}

void TraceEventReader::add_interval(const Element& element) {
  TraceEvent event = element.event;
  event.lane = lane_of(static_cast<int>(element.thread));
  event.name = name_of(element.name);
  event.unit = element.unit.value_or(HwUnit::kControl);
  trace_.events.push_back(event);
}

int TraceEventReader::lane_of(int thread) {
  const auto [position, is_new] = lanes_.emplace(thread, static_cast<int>(trace_.lanes.size()));
  if (is_new) trace_.lanes.push_back({thread, "thread " + std::to_string(thread)});
  return position->second;
}

int TraceEventReader::name_of(std::string_view name) {
  const auto [position, is_new] =
      names_.emplace(std::string(name), static_cast<int>(trace_.names.size()));
  if (is_new) trace_.names.emplace_back(name);
  return position->second;
}

void TraceEventReader::finish() {
  std::stable_sort(trace_.events.begin(), trace_.events.end(),
                   [](const TraceEvent& a, const TraceEvent& b) {
                     return a.start != b.start ? a.start < b.start : a.lane < b.lane;
                   });
  std::stable_sort(trace_.vtcm.begin(), trace_.vtcm.end(),
                   [](const VtcmUse& a, const VtcmUse& b) { return a.start < b.start; });
  const auto end =
      std::unique(trace_.vtcm.begin(), trace_.vtcm.end(),
                  [](const VtcmUse& a, const VtcmUse& b) { return a.bytes == b.bytes; });
  trace_.vtcm.erase(end, trace_.vtcm.end());
}

}  // namespace hexquant::profiling
