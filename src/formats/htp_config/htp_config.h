#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "hexquant/finding.h"

namespace hexquant::formats {

/// How a cache chooses what stays in fast memory.
enum class CacheStrategy {
  kNone,    ///< nothing is kept
  kGreedy,  ///< the largest saving for each byte first
  kLru      ///< what was used last
};

/// "none", "greedy", "lru".
[[nodiscard]] const char* cache_strategy_name(CacheStrategy strategy) noexcept;

/// Wishes that no option of the HTP backend expresses: read and kept for the planner of this tool.
struct HtpPlannerConfig {
  std::optional<CacheStrategy> weight_cache_strategy;
  std::optional<CacheStrategy> activation_cache_strategy;
  std::optional<std::int64_t> max_weight_cache_mb;  ///< 2^20 bytes
  std::optional<bool> prefer_vtcm_tiling;
  std::optional<std::int64_t> max_tile_height;  ///< rows
  std::optional<std::int64_t> max_tile_width;   ///< columns
  std::optional<std::int64_t> tile_channels;
  friend bool operator==(const HtpPlannerConfig&, const HtpPlannerConfig&) = default;
};

/// Options of the HTP backend for one graph on one device. What a file does not say is absent: the
/// backend's own default holds then. Source: Qualcomm's page "QNN HTP Backend Extensions".
struct HtpConfig {
  std::vector<std::string> graph_names;      ///< graphs[].graph_names
  std::optional<std::int64_t> vtcm_mb;       ///< 2^20 bytes; 0 = all that the chip has. Backend: 4
  std::optional<std::int64_t> optimization;  ///< `O`: 1 (reserved by the vendor), 2, 3. Backend: 2
  std::optional<std::int64_t> hvx_threads;   ///< backend: 4 when compiled ahead
  std::optional<bool> dlbc;                  ///< activations compressed on the way to DDR
  std::optional<bool> dlbc_weights;          ///< the same for weights; ahead-of-time only
  std::optional<bool> fp16_relaxed_precision;  ///< without effect from QAIRT 2.35 on
  std::optional<std::int64_t> soc_model;       ///< QNN's id of the chip
  std::string dsp_arch;                        ///< "v75"; empty when not said
  std::string pd_session;                      ///< "signed" or "unsigned"; empty when not said
  std::string perf_profile;                    ///< of the first core, e.g. "burst"; may be empty

  HtpPlannerConfig planner;

  // Known keys that pass through as they are: members of one object each, in the file's order.
  Json graph_options = Json::object();   ///< of the graph's entry of graphs[]
  Json device_options = Json::object();  ///< of devices[0], without cores[]
  Json core_options = Json::object();    ///< of devices[0].cores[0]
  Json more_cores = Json::array();       ///< devices[0].cores[1...]
  Json more_devices = Json::array();     ///< devices[1...]
  Json context = Json::object();
  Json group_context = Json::object();
  Json memory = Json::object();
  Json tool_options = Json::object();  ///< outer file: context_configs, graph_configs

  friend bool operator==(const HtpConfig&, const HtpConfig&) = default;
};

/// Reads an options file in any of its forms:
///   * `graph_config` with `dlbc_config` and `tiling_config` inside (the form of the source
///   article);
///   * the backend-extensions file: `graphs`, `devices`, `context`, `groupContext`, `memory`;
///   * the file around it: `backend_extensions.config_file_path` names the former, looked for
///   beside
///     this file, then from the current folder.
/// Comments (// and /* */) are passed over: both the article and the vendor print them.
///
/// `findings` gets what is deprecated, overruled or left out, and one "htp-config-not-expressible"
/// for each option that the HTP backend has no counterpart of.
/// @param graph_name  graph whose entry of `graphs` is wanted; empty, or named nowhere: the first
/// @throws Error(kIo); Error(kInvalidData) that names file and key path: unknown keys (with the
///         nearest known one), wrong types or ranges, options that exclude each other
[[nodiscard]] HtpConfig read_htp_config(const std::filesystem::path& path, Findings& findings,
                                        const std::string& graph_name = {});

/// A file's text and the name that messages call it by.
struct NamedText {
  std::string name;
  std::string text;
};

/// The same for a text. @param read_inner  gives the file that config_file_path names
[[nodiscard]] HtpConfig parse_htp_config(
    const NamedText& file, const std::function<NamedText(const std::string&)>& read_inner,
    Findings& findings, const std::string& graph_name = {});

/// One "htp-config-not-expressible" for each wish in `config.planner`: what the backend has
/// instead.
/// @param origin  file that said so
[[nodiscard]] Findings not_expressible(const HtpConfig& config, const std::string& origin);

/// The two files that the vendor's tools take.
struct HtpConfigFiles {
  std::string outer;  ///< for --config_file
  std::string inner;  ///< what the outer one names
};

/// @param graph_name       stands in graphs[].graph_names
/// @param inner_file_name  stands in config_file_path; the vendor's tools look for it from the
///                         folder where they run
[[nodiscard]] HtpConfigFiles write_htp_config(const HtpConfig& config,
                                              const std::string& graph_name,
                                              const std::string& inner_file_name);

}  // namespace hexquant::formats
