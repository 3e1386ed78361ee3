#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "networks/cases.h"

namespace hexquant::networks {

/// What the vendor's simulator says of one layer.
struct VendorLayer {
  std::string name;  ///< ONNX node, or what HtpLayer calls it
  double matrix_cycles = 0.0;
  double vector_thread_cycles = 0.0;
  std::int64_t ddr_read_bytes = 0;
};

/// The vendor's estimate of a case on a chip.
struct VendorEstimate {
  std::string name;  ///< of the case
  int vtcm_mb = 0;
  double cycles = 0.0;
  double lower_cycles = 0.0;
  double upper_cycles = 0.0;
  std::int64_t ddr_read_bytes = 0;
  std::int64_t ddr_write_bytes = 0;
  std::int64_t spill_bytes = 0;
  std::int64_t fill_bytes = 0;
  std::int64_t missing_ops = 0;
  std::int64_t vtcm_peak_bytes = 0;
  double clock_mhz = 0.0;
  std::vector<VendorLayer> layers;
};

/// Asks the vendor's simulator. @throws Error with the reason when it gives no estimate
[[nodiscard]] VendorEstimate ask_vendor(const Case& item, const std::string& soc,
                                        const std::filesystem::path& scratch);
/// The same for a QDQ model in a file.
[[nodiscard]] VendorEstimate ask_vendor(const std::filesystem::path& model, const std::string& soc,
                                        int vtcm_mb, bool io_on_device);

/// Tables of estimates, one line a case; layers one line a layer, in a file of their own.
void write_estimates(const std::filesystem::path& path,
                     const std::vector<VendorEstimate>& estimates);
void write_layers(const std::filesystem::path& path, const std::vector<VendorEstimate>& estimates);
/// @throws Error(kIo), Error(kInvalidData) naming file and line
[[nodiscard]] std::vector<VendorEstimate> read_estimates(const std::filesystem::path& path);
void read_layers(const std::filesystem::path& path, std::vector<VendorEstimate>& estimates);

}  // namespace hexquant::networks
