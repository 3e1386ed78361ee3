#pragma once

#include <cstdint>
#include <vector>

#include "perf/latency_constants.h"
#include "perf/workload.h"

namespace hexquant::perf {

enum class Lane {
  kMatrix,    ///< the scalar thread and the matrix unit that it drives: one operation at a time
  kVector,    ///< the vector threads
  kTransfer,  ///< DMA to DDR
  kCpu
};

/// A step of an operation on one unit. Its tiles can start when the tiles that they read are done.
struct Stage {
  Lane lane = Lane::kVector;
  double cycles = 0.0;  ///< of all tiles together; kVector: thread cycles; kTransfer: bytes
  int tiles = 1;
  bool is_boundary = false;  ///< layout or type of a graph input or output
  bool needs_all = false;    ///< reads everything before it writes anything
};

/// What the units have to do for one operation.
struct OperationWork {
  std::vector<Stage> stages;
  int transfers = 0;                 ///< fetched by DMA before the first matrix stage
  std::int64_t weight_bytes = 0;     ///< in DDR, with the padding of their blocks
  std::int64_t ddr_read_bytes = 0;   ///< weights and graph inputs
  std::int64_t ddr_write_bytes = 0;  ///< graph outputs
  int input_tiles = 1;               ///< parts of a graph input that are used as they arrive
  int halo_tiles = 0;                ///< tiles of the input beyond the own ones that a tile reads
};

/// Where values lie: feature maps have their channels last in blocks of 8 x 8 x 32, everything else
/// keeps its last two axes as rows and channels.
class Layout {
 public:
  explicit Layout(const Workload& workload);
  [[nodiscard]] bool is_map(int tensor) const { return is_map_[static_cast<std::size_t>(tensor)]; }
  /// Elements with the padding of blocks.
  [[nodiscard]] double padded_elements(int tensor) const;
  /// Bytes in VTCM, with the padding of blocks.
  [[nodiscard]] std::int64_t padded_bytes(int tensor) const;
  /// Strips of 8 rows (maps), of 32 rows (others).
  [[nodiscard]] int strips(int tensor) const;

 private:
  void mark_maps();
  const Workload& workload_;
  std::vector<bool> is_map_;
};

struct WorkOptions {
  bool io_on_device = false;  ///< float inputs and outputs are converted on the NPU, not the CPU
  double weight_compression = 1.0;  ///< bytes of weights in DDR for each byte
  std::int64_t vtcm_bytes = 8 << 20;
};

/// @param constants  of the machine; see latency_constants.h for the formulas
[[nodiscard]] std::vector<OperationWork> operation_work(const Workload& workload,
                                                        const Layout& layout,
                                                        const LatencyConstants& constants,
                                                        const WorkOptions& options);

/// Bytes of a layer's constants in DDR: input and output channels in blocks of 32, transfers in
/// units of 2048 bytes, a block of parameters for each 256 output channels.
[[nodiscard]] std::int64_t stored_weight_bytes(const Workload& workload,
                                               const Operation& operation);

}  // namespace hexquant::perf
