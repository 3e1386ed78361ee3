#include "profiling/optrace.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/file_io.h"
#include "core/json_scanner.h"
#include "hexquant/error.h"
#include "profiling/optrace_event.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kEventsKey = "\"traceEvents\"";

void read_machine(JsonScanner& scanner, SimulatedMachine& machine) {
  scanner.object([&](std::string_view key) {
    if (key == "soc_type") {
      machine.soc = scanner.string();
    } else if (key == "sim_base_soc") {
      machine.base_soc = scanner.string();
    } else if (!scanner.at_number()) {
      scanner.skip();
    } else if (key == "sim_core_freq") {
      machine.clock_mhz = std::max(scanner.number(), 0.0);
    } else if (key == "vtcm_size_in_bytes") {
      machine.vtcm_bytes = scanner.integer();
    } else if (key == "hvx_threads") {
      machine.hvx_threads = scanner.integer();
    } else {
      scanner.skip();
    }
  });
}

void read_statistics(JsonScanner& scanner, Optrace& trace) {
  scanner.object([&](std::string_view key) {
    if (key == "total_num_dma_read_bytes") {
      trace.dma_read_bytes = scanner.integer();
    } else if (key == "total_num_dma_write_bytes") {
      trace.dma_write_bytes = scanner.integer();
    } else {
      scanner.skip();
    }
  });
}

/// Position of the '{' in front of a "traceEvents" member that is its object's first.
std::size_t object_start(std::string_view bytes, std::size_t key) {
  if (key == 0) return std::string_view::npos;
  const std::size_t last = bytes.find_last_not_of(" \t\r\n", key - 1);
  return last != std::string_view::npos && bytes[last] == '{' ? last : std::string_view::npos;
}

/// Printable text at the start of `bytes`, white space before it left out.
std::string_view printable_text(std::string_view bytes) {
  const std::size_t start = bytes.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return {};
  std::size_t end = start;
  while (end < bytes.size() && static_cast<unsigned char>(bytes[end]) >= 0x20 &&
         bytes[end] != 0x7f) {
    ++end;
  }
  return bytes.substr(start, end - start);
}

}  // namespace

const char* hw_unit_name(HwUnit unit) noexcept {
  switch (unit) {
    case HwUnit::kHmx:
      return "hmx";
    case HwUnit::kHvx:
      return "hvx";
    case HwUnit::kDma:
      return "dma";
    case HwUnit::kControl:
      break;
  }
  return "control";
}

Optrace parse_optrace(std::string_view json, std::size_t& used_bytes) {
  Optrace trace;
  TraceEventReader events(trace);
  JsonScanner scanner(json, "optrace");
  try {
    scanner.object([&](std::string_view key) {
      if (key == "traceEvents") {
        scanner.array([&] { events.read(scanner); });
      } else if (key == "Hextimate Configuration") {
        read_machine(scanner, trace.machine);
      } else if (key == "DMA/L2 Access Statistics") {
        read_statistics(scanner, trace);
      } else {
        scanner.skip();
      }
    });
  } catch (const Error&) {  // what was read so far is still of use
    trace.is_truncated = true;
  }
  events.finish();
  used_bytes = scanner.position();
  return trace;
}

std::vector<Optrace> parse_optraces(std::string_view bytes) {
  std::vector<Optrace> traces;
  std::unordered_set<std::string_view> seen;  // graph names, or whole documents without one
  for (std::size_t at = 0;;) {
    const std::size_t key = bytes.find(kEventsKey, at);
    if (key == std::string_view::npos) return traces;
    at = key + kEventsKey.size();
    const std::size_t start = object_start(bytes, key);
    if (start == std::string_view::npos) continue;
    std::size_t used_bytes = 0;
    Optrace trace = parse_optrace(bytes.substr(start), used_bytes);
    const std::string_view document = bytes.substr(start, used_bytes);
    const std::string_view graph =
        trace.is_truncated ? std::string_view{} : printable_text(bytes.substr(start + used_bytes));
    trace.graph_name = graph;
    if (seen.insert(graph.empty() ? document : graph).second) traces.push_back(std::move(trace));
    at = std::max(at, start + used_bytes);
  }
}

std::vector<Optrace> read_optraces(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse_optraces({reinterpret_cast<const char*>(file.data()), file.size_bytes()});
}

}  // namespace hexquant::profiling
