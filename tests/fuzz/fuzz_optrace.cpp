#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "profiling/layer_times.h"
#include "profiling/optrace.h"
#include "profiling/schematic.h"

/// Any bytes are read without an error, and the times of what was found add up.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  namespace profiling = hexquant::profiling;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size_bytes);
  static_cast<void>(profiling::parse_schematic(bytes));
  for (const profiling::Optrace& trace : profiling::parse_optraces(bytes)) {
    constexpr int kLayers = 3;
    std::vector<int> layers;
    for (const profiling::TraceEvent& event : trace.events) {
      layers.push_back(static_cast<int>(event.op_id() % kLayers));
    }
    const profiling::RunTimes run = profiling::layer_times(trace, layers, kLayers, 100);
    double sum = static_cast<double>(run.idle);
    for (const profiling::LayerTimes& layer : run.layers) sum += layer.attributed_cycles();
    if (!(std::abs(sum - static_cast<double>(run.cycles)) <= 1e-6 * sum)) __builtin_trap();
  }
  return 0;
}
