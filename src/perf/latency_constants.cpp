#include "perf/latency_constants.h"

#include <cmath>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::perf {
namespace {

constexpr std::array<const char*, kWidthCount> kWidthNames = {"8bit", "16bit", "float"};

constexpr std::array<const char*, kVectorTaskCount> kVectorNames = {
    "quantize",     "dequantize",     "short_rows",     "slice_input",  "tile",
    "untile",       "swap_rows",      "swap_columns",   "image_layout", "image_strips",
    "copy_out",     "copy_wide",      "copy_short",     "copy_rows",    "add",
    "add_rows",     "multiply",       "divide",         "function",     "flat_function",
    "flat_join",    "pool",           "mean",           "mean_axis",    "concat",
    "join_parts",   "move",           "gather",         "shuffle",      "pad_channels",
    "expand_rows",  "reshape",        "reshape_rows",   "resize",       "softmax",
    "softmax_rows", "softmax_short",  "moments",        "normalize",    "convert",
    "convert_rows", "space_to_depth", "image_to_depth", "patches",      "decimate",
    "depthwise",    "depth_to_space", "clear_border",   "pack_operand", "unpack_product",
    "other"};

constexpr std::array<const char*, kMatrixTaskCount> kMatrixNames = {"dense", "strided", "depthwise",
                                                                    "dilated"};

void add_by_width(std::vector<NamedConstant>& list, const std::string& key, ByWidth& values,
                  const std::string& unit) {
  for (std::size_t i = 0; i < kWidthCount; ++i) {
    list.push_back({key + "_" + kWidthNames[i], &values[i], unit});
  }
}

}  // namespace

const char* vector_task_name(VectorTask task) noexcept {
  return kVectorNames[static_cast<std::size_t>(task)];
}

const char* matrix_task_name(MatrixTask task) noexcept {
  return kMatrixNames[static_cast<std::size_t>(task)];
}

std::vector<NamedConstant> named_constants(LatencyConstants& constants) {
  std::vector<NamedConstant> list;
  for (std::size_t i = 0; i < kMatrixTaskCount; ++i) {
    MatrixCost& cost = constants.matrix[i];
    const std::string prefix = std::string("matrix_") + kMatrixNames[i];
    list.push_back({prefix + "_event", &cost.per_event, "cycles a strip"});
    add_by_width(list, prefix + "_product", cost.per_product, "cycles a block product");
    list.push_back({prefix + "_product_wide", &cost.per_wide_product, "cycles a block product"});
    add_by_width(list, prefix + "_store", cost.per_store, "cycles an output block");
    list.push_back({prefix + "_weight", &cost.per_weight, "cycles a weight block"});
    list.push_back({prefix + "_weight_wide", &cost.per_wide_weight, "cycles a weight block"});
  }
  for (std::size_t i = 0; i < kVectorTaskCount; ++i) {
    VectorCost& cost = constants.vector[i];
    const std::string prefix = std::string("vector_") + kVectorNames[i];
    list.push_back({prefix + "_tile", &cost.per_tile, "thread cycles a tile"});
    add_by_width(list, prefix, cost.per_element, "thread cycles an element");
  }
  list.push_back({"dma_bytes_per_cycle", &constants.dma_bytes_per_cycle, "bytes a cycle"});
  list.push_back({"dma_issue", &constants.dma_issue_cycles, "cycles a transfer"});
  list.push_back({"dma_wait", &constants.dma_wait_cycles, "cycles a transfer"});
  list.push_back({"spawn", &constants.spawn_cycles, "cycles a vector task"});
  list.push_back({"start", &constants.start_cycles, "cycles a run"});
  list.push_back({"prefetch_share", &constants.prefetch_share, "of VTCM"});
  list.push_back({"serial_image_share", &constants.serial_image_share, "of VTCM"});
  list.push_back({"serial_map_share", &constants.serial_map_share, "of VTCM"});
  list.push_back({"serial_channels_share", &constants.serial_channels_share, "of VTCM"});
  list.push_back({"serial_output_share", &constants.serial_output_share, "of VTCM"});
  list.push_back({"vector_threads", &constants.vector_threads, "threads"});
  list.push_back({"cpu_rate", &constants.cpu_elements_per_us, "elements a us"});
  list.push_back({"cpu_transfer", &constants.cpu_transfer_us, "us an operation"});
  return list;
}

LatencyConstants parse_constants(const Json& json, const std::string& origin) {
  LatencyConstants constants;
  for (const NamedConstant& constant : named_constants(constants)) {
    const auto found = json.find(constant.key);
    const bool usable = found != json.end() && found->is_number() &&
                        std::isfinite(found->get<double>()) && found->get<double>() >= 0.0;
    if (!usable) {
      throw Error(ErrorCode::kInvalidData,
                  format("{}: constant '{}' is missing or no number >= 0", origin, constant.key));
    }
    *constant.value = found->get<double>();
  }
  return constants;
}

Json to_json(const LatencyConstants& constants) {
  LatencyConstants copy = constants;
  Json json = Json::object();
  for (const NamedConstant& constant : named_constants(copy)) {
    append_member(json, constant.key, *constant.value);
  }
  return json;
}

}  // namespace hexquant::perf
