#include "profiling/recorded_runs.h"

#include "core/json_cursor.h"

namespace hexquant::profiling {
namespace {

std::int64_t count_of(const JsonCursor& value) {
  // Doubles hold whole numbers up to here, so that each survives a JSON writer of any kind.
  constexpr std::int64_t kMost = std::int64_t{1} << 53;
  return value.integer(0, kMost);
}

}  // namespace

RecordedRuns recorded_runs(const Json& json, const std::string& origin) {
  const JsonCursor root(json, origin);
  const JsonCursor schema = root.at("schema");
  if (schema.text() != "hexquant-net-run-1") {
    schema.fail("\"hexquant-net-run-1\", a result of 'hexquant net-run --json'");
  }
  RecordedRuns runs;
  runs.model = root.at("model").text();
  const JsonCursor device = root.at("device");
  runs.device = device.text();
  if (runs.device != "cpu" && runs.device != "htp") device.fail("\"cpu\" or \"htp\"");
  const JsonCursor soc = root.at("soc");
  if (!soc.json().is_null()) runs.soc = soc.text();
  const JsonCursor latency = root.at("latency");
  runs.count = count_of(latency.at("count"));
  const JsonCursor first = latency.at("first_tenth_us");
  runs.first_tenth_us = first.number();
  if (runs.first_tenth_us < 0.0) first.fail("a time of 0 or more");
  const JsonCursor drift = latency.at("drift");
  runs.drift = drift.number();
  if (runs.drift < -1.0) drift.fail("a number of -1 or more");
  const JsonCursor stability = root.at("stability");
  runs.differing = stability.at("differing").integer(0, runs.count);
  runs.memory_growth_bytes = count_of(stability.at("memory_growth_bytes"));
  runs.peak_memory_bytes = count_of(root.at("peak_memory_bytes"));
  return runs;
}

}  // namespace hexquant::profiling
