#include "networks/vendor_estimates.h"

#include <cstdlib>
#include <sstream>
#include <unordered_map>

#include "core/file_io.h"
#include "core/format.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "pipeline/compile_model.h"

namespace hexquant::networks {
namespace {

constexpr const char* kEstimateHeader =
    "case,vtcm_mb,cycles,lower_cycles,upper_cycles,ddr_read_bytes,ddr_write_bytes,spill_bytes,"
    "fill_bytes,missing_ops,vtcm_peak_bytes,clock_mhz";
constexpr const char* kLayerHeader = "case,layer,matrix_cycles,vector_thread_cycles,ddr_read_bytes";

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::stringstream stream(line);
  for (std::string field; std::getline(stream, field, ',');) fields.push_back(field);
  return fields;
}

/// Lines of a table with `count` fields each, without the header.
std::vector<std::vector<std::string>> read_table(const std::filesystem::path& path,
                                                 const std::string& header, std::size_t count) {
  std::stringstream text(read_file(path));
  std::vector<std::vector<std::string>> rows;
  std::string line;
  if (!std::getline(text, line) || line != header) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: expected the header '{}'", path.string(), header));
  }
  for (int number = 2; std::getline(text, line); ++number) {
    rows.push_back(fields_of(line));
    if (rows.back().size() != count) {
      throw Error(ErrorCode::kInvalidData,
                  format("{}:{}: expected {} fields", path.string(), number, count));
    }
  }
  return rows;
}

std::int64_t integer(const std::string& field) {
  return std::strtoll(field.c_str(), nullptr, 10);
}

double number(const std::string& field) {
  return std::strtod(field.c_str(), nullptr);
}

void add_layers(VendorEstimate& estimate, const pipeline::HtpGraphEstimate& graph) {
  const std::vector<pipeline::HtpLayer>& layers = graph.layers.layers;
  for (std::size_t i = 0; i < layers.size() && i < graph.times.layers.size(); ++i) {
    const profiling::LayerTimes& times = graph.times.layers[i];
    VendorLayer layer;
    layer.name = layers[i].name;
    layer.matrix_cycles =
        static_cast<double>(times.busy[static_cast<std::size_t>(profiling::HwUnit::kHmx)]);
    layer.vector_thread_cycles = static_cast<double>(times.hvx_thread_cycles);
    layer.ddr_read_bytes = times.dram_read_bytes;
    estimate.layers.push_back(std::move(layer));
  }
}

}  // namespace

VendorEstimate ask_vendor(const std::filesystem::path& model, const std::string& soc, int vtcm_mb,
                          bool io_on_device) {
  pipeline::CompileRequest request;
  request.model = model.string();
  request.htp.soc = soc;
  request.htp.vtcm_mb = vtcm_mb;
  request.io_on_device = io_on_device;
  request.estimate = true;
  const pipeline::CompileResult result = pipeline::compile_model(request);
  if (!result.estimate || !result.estimate->is_available()) {
    throw Error(ErrorCode::kUnsupported,
                format("{}: no estimate for {}: {}", model.string(), soc,
                       result.failure ? result.failure->reason : "the chip has none"));
  }
  const pipeline::HtpEstimate& given = *result.estimate;
  const profiling::SimulatedFigure cycles = given.cycles();
  const profiling::DdrBytes bytes = given.ddr_bytes();
  VendorEstimate estimate;
  estimate.name = model.stem().string();
  estimate.vtcm_mb = result.vtcm_mb;
  estimate.cycles = static_cast<double>(cycles.value);
  estimate.lower_cycles = static_cast<double>(cycles.lower);
  estimate.upper_cycles = static_cast<double>(cycles.upper);
  estimate.ddr_read_bytes = bytes.read();
  estimate.ddr_write_bytes = bytes.written();
  estimate.spill_bytes = bytes.intermediate_spill;
  estimate.fill_bytes = bytes.intermediate_fill;
  estimate.missing_ops = given.missing_ops();
  estimate.clock_mhz = given.clock_mhz();
  for (const pipeline::HtpGraphEstimate& graph : given.graphs) {
    estimate.vtcm_peak_bytes = std::max(estimate.vtcm_peak_bytes, graph.times.vtcm_peak_bytes);
    add_layers(estimate, graph);
  }
  return estimate;
}

VendorEstimate ask_vendor(const Case& item, const std::string& soc,
                          const std::filesystem::path& scratch) {
  const std::filesystem::path model = scratch / (item.name + ".onnx");
  formats::write_onnx(quantize_case(item, soc), model);
  VendorEstimate estimate = ask_vendor(model, soc, item.vtcm_mb, item.io_on_device);
  std::filesystem::remove(model);
  return estimate;
}

void write_estimates(const std::filesystem::path& path,
                     const std::vector<VendorEstimate>& estimates) {
  std::string text = std::string(kEstimateHeader) + "\n";
  for (const VendorEstimate& e : estimates) {
    text += format("{},{},{:.0f},{:.0f},{:.0f},{},{},{},{},{},{},{:.1f}\n", e.name, e.vtcm_mb,
                   e.cycles, e.lower_cycles, e.upper_cycles, e.ddr_read_bytes, e.ddr_write_bytes,
                   e.spill_bytes, e.fill_bytes, e.missing_ops, e.vtcm_peak_bytes, e.clock_mhz);
  }
  write_file(path, text);
}

void write_layers(const std::filesystem::path& path, const std::vector<VendorEstimate>& estimates) {
  std::string text = std::string(kLayerHeader) + "\n";
  for (const VendorEstimate& e : estimates) {
    for (const VendorLayer& layer : e.layers) {
      text += format("{},{},{:.0f},{:.0f},{}\n", e.name, layer.name, layer.matrix_cycles,
                     layer.vector_thread_cycles, layer.ddr_read_bytes);
    }
  }
  write_file(path, text);
}

std::vector<VendorEstimate> read_estimates(const std::filesystem::path& path) {
  std::vector<VendorEstimate> estimates;
  for (const auto& row : read_table(path, kEstimateHeader, 12)) {
    VendorEstimate e;
    e.name = row[0];
    e.vtcm_mb = static_cast<int>(integer(row[1]));
    e.cycles = number(row[2]);
    e.lower_cycles = number(row[3]);
    e.upper_cycles = number(row[4]);
    e.ddr_read_bytes = integer(row[5]);
    e.ddr_write_bytes = integer(row[6]);
    e.spill_bytes = integer(row[7]);
    e.fill_bytes = integer(row[8]);
    e.missing_ops = integer(row[9]);
    e.vtcm_peak_bytes = integer(row[10]);
    e.clock_mhz = number(row[11]);
    estimates.push_back(std::move(e));
  }
  return estimates;
}

void read_layers(const std::filesystem::path& path, std::vector<VendorEstimate>& estimates) {
  std::unordered_map<std::string, VendorEstimate*> by_name;
  for (VendorEstimate& estimate : estimates) by_name[estimate.name] = &estimate;
  for (const auto& row : read_table(path, kLayerHeader, 5)) {
    const auto found = by_name.find(row[0]);
    if (found == by_name.end()) continue;
    found->second->layers.push_back({row[1], number(row[2]), number(row[3]), integer(row[4])});
  }
}

}  // namespace hexquant::networks
