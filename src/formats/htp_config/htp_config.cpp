#include "formats/htp_config/htp_config.h"

#include <array>
#include <utility>

#include "core/format.h"

namespace hexquant::formats {
namespace {

constexpr const char* kExtensionLibrary = "libQnnHtpNetRunExtensions.so";

struct Wish {
  const char* key;  ///< in the article's file
  bool present;
  const char* reason;  ///< what the backend does instead
  const char* fix;     ///< the nearest real options
};

constexpr const char* kCacheReason =
    "the HTP compiler has no such option: it decides itself what stays in VTCM (dlbc compresses "
    "what goes to DDR, it is no cache); kept for this tool's own planner";
constexpr const char* kTilingReason =
    "the HTP compiler has no such option: it chooses the tiles itself while it prepares the graph; "
    "kept for this tool's own planner";

template <typename T>
void put(Json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}

void put_text(Json& object, const char* key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}

/// The backend takes this flag as a number.
void put_number(Json& object, const char* key, const std::optional<bool>& value) {
  if (value) object[key] = *value ? 1 : 0;
}

Json graph_json(const HtpConfig& config, const std::string& graph_name) {
  Json graph = {{"graph_names", Json::array({graph_name})}};
  put(graph, "vtcm_mb", config.vtcm_mb);
  put(graph, "O", config.optimization);
  put(graph, "hvx_threads", config.hvx_threads);
  put_number(graph, "dlbc", config.dlbc);
  put_number(graph, "dlbc_weights", config.dlbc_weights);
  put_number(graph, "fp16_relaxed_precision", config.fp16_relaxed_precision);
  graph.update(config.graph_options);
  return graph;
}

Json cores_json(const HtpConfig& config) {
  Json first = Json::object();
  put_text(first, "perf_profile", config.perf_profile);
  first.update(config.core_options);
  Json cores = Json::array();
  if (!first.empty() || !config.more_cores.empty()) cores.push_back(std::move(first));
  for (const Json& core : config.more_cores) cores.push_back(core);
  return cores;
}

Json devices_json(const HtpConfig& config) {
  Json first = Json::object();
  put(first, "soc_model", config.soc_model);
  put_text(first, "dsp_arch", config.dsp_arch);
  put_text(first, "pd_session", config.pd_session);
  first.update(config.device_options);
  const Json cores = cores_json(config);
  if (!cores.empty()) first["cores"] = cores;
  Json devices = Json::array();
  if (!first.empty() || !config.more_devices.empty()) devices.push_back(std::move(first));
  for (const Json& device : config.more_devices) devices.push_back(device);
  return devices;
}

}  // namespace

const char* cache_strategy_name(CacheStrategy strategy) noexcept {
  switch (strategy) {
    case CacheStrategy::kNone:
      return "none";
    case CacheStrategy::kGreedy:
      return "greedy";
    case CacheStrategy::kLru:
      return "lru";
  }
  return "none";
}

Findings not_expressible(const HtpConfig& config, const std::string& origin) {
  const HtpPlannerConfig& planner = config.planner;
  const std::array wishes{
      Wish{"dlbc_config.weight_cache_strategy", planner.weight_cache_strategy.has_value(),
           kCacheReason,
           "nearest: vtcm_mb; dlbc_weights compresses weights; sharing them between "
           "graphs is context.weight_sharing_enabled"},
      Wish{"dlbc_config.activation_cache_strategy", planner.activation_cache_strategy.has_value(),
           kCacheReason, "nearest: vtcm_mb, O and finalize_config.P; dlbc compresses activations"},
      Wish{"dlbc_config.max_weight_cache_mb", planner.max_weight_cache_mb.has_value(), kCacheReason,
           "nearest: vtcm_mb, which bounds weights and activations together"},
      Wish{"tiling_config.prefer_vtcm_tiling", planner.prefer_vtcm_tiling.has_value(),
           kTilingReason, "nearest: vtcm_mb and O; tiles always lie in VTCM"},
      Wish{"tiling_config.max_tile_height", planner.max_tile_height.has_value(), kTilingReason,
           "nearest: vtcm_mb (less of it makes smaller tiles), O and finalize_config.P"},
      Wish{"tiling_config.max_tile_width", planner.max_tile_width.has_value(), kTilingReason,
           "nearest: vtcm_mb (less of it makes smaller tiles), O and finalize_config.P"},
      Wish{"tiling_config.tile_channels", planner.tile_channels.has_value(), kTilingReason,
           "nearest: none; the hardware groups channels by 32"}};
  Findings findings;
  for (const Wish& wish : wishes) {
    if (!wish.present) continue;
    findings.push_back({"htp-config-not-expressible", Severity::kWarning,
                        format("{}: graph_config.{}", origin, wish.key), wish.reason, wish.fix});
  }
  return findings;
}

HtpConfigFiles write_htp_config(const HtpConfig& config, const std::string& graph_name,
                                const std::string& inner_file_name) {
  Json inner = {{"graphs", Json::array({graph_json(config, graph_name)})}};
  const Json devices = devices_json(config);
  if (!devices.empty()) inner["devices"] = devices;
  if (!config.context.empty()) inner["context"] = config.context;
  if (!config.group_context.empty()) inner["groupContext"] = config.group_context;
  if (!config.memory.empty()) inner["memory"] = config.memory;
  Json outer = {
      {"backend_extensions",
       {{"shared_library_path", kExtensionLibrary}, {"config_file_path", inner_file_name}}}};
  outer.update(config.tool_options);
  return {to_text(outer), to_text(inner)};
}

}  // namespace hexquant::formats
