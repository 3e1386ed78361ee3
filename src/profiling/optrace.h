#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hexquant::profiling {

/// Hardware that an event of the trace keeps busy.
enum class HwUnit {
  kHmx,     ///< matrix unit
  kHvx,     ///< a vector thread
  kDma,     ///< a DMA engine: the common one or a vector thread's own
  kControl  ///< the scalar foreground thread: starts and awaits the others
};
inline constexpr int kHwUnitCount = 4;

/// "hmx", "hvx", "dma", "control".
[[nodiscard]] const char* hw_unit_name(HwUnit unit) noexcept;

/// One hardware operation of the vendor's simulation. Times are core cycles from the start.
struct TraceEvent {
  std::uint64_t id = 0;  ///< of the hardware operation; equal on all lanes that serve it
  std::int64_t start = 0;
  std::int64_t duration = 0;
  std::int64_t dram_read_bytes = 0;
  std::int64_t dram_write_bytes = 0;
  int lane = 0;  ///< index into Optrace::lanes
  int name = 0;  ///< index into Optrace::names
  HwUnit unit = HwUnit::kControl;

  /// The operation of the QNN graph it belongs to.
  [[nodiscard]] std::uint32_t op_id() const noexcept { return static_cast<std::uint32_t>(id); }
  [[nodiscard]] std::int64_t end() const noexcept { return start + duration; }
};

struct TraceLane {
  int thread = 0;    ///< "tid" of the trace
  std::string name;  ///< "FG", "HVX 1", "HMX", "DMA", "HVX_DMA 1", ...
};

/// Bytes of VTCM in use from `start` on.
struct VtcmUse {
  std::int64_t start = 0;
  std::int64_t bytes = 0;
};

/// The machine that was simulated ("Hextimate Configuration").
struct SimulatedMachine {
  std::string soc;         ///< "SA8255"
  std::string base_soc;    ///< code name of the chip whose HTP it resembles
  double clock_mhz = 0.0;  ///< core clock; 0 = not given
  std::int64_t vtcm_bytes = 0;
  std::int64_t hvx_threads = 0;
};

/// The trace of one compiled graph (profiling_level=optrace).
struct Optrace {
  std::string graph_name;  ///< QNN graph; empty when the file does not say
  std::vector<TraceLane> lanes;
  std::vector<std::string> names;  ///< of hardware operations, each once
  std::vector<TraceEvent> events;  ///< by start, then by lane
  std::vector<VtcmUse> vtcm;       ///< by start; equal neighbours are merged
  SimulatedMachine machine;
  /// "total_num_dma_read_bytes", "total_num_dma_write_bytes"
  std::optional<std::int64_t> dma_read_bytes;
  std::optional<std::int64_t> dma_write_bytes;
  /// The document ends too early or is no valid JSON; what stood before that point is here.
  bool is_truncated = false;
};

/// The traces inside the binary file <profiling_file_path>_qnn.log, in its order.
///
/// Nothing of the container is interpreted: a trace is the JSON object that starts with the member
/// "traceEvents", and the text behind it, up to the first byte that is not printable, names its
/// graph. The provider writes earlier traces again for each further graph; one of each is kept.
[[nodiscard]] std::vector<Optrace> parse_optraces(std::string_view bytes);

/// @throws Error(kIo)
[[nodiscard]] std::vector<Optrace> read_optraces(const std::filesystem::path& path);

/// Reads one trace from the JSON object at the start of `json`; bytes behind it are ignored.
/// @param[out] used_bytes  length of the object, or of what was read before it broke off
[[nodiscard]] Optrace parse_optrace(std::string_view json, std::size_t& used_bytes);

}  // namespace hexquant::profiling
