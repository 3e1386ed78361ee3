#include "formats/htp_config/key_rules.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/format.h"
#include "core/nearest_name.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

using std::string_view;

constexpr std::int64_t kMaxInt = std::numeric_limits<std::int32_t>::max();
/// Far above what any chip has (16 MB), so that a figure in bytes or KB is noticed.
constexpr std::int64_t kMaxVtcm_mb = 64;
constexpr std::int64_t kMaxVtcm_bytes = kMaxVtcm_mb << 20;
constexpr std::int64_t kMaxHvxThreads = 16;
constexpr std::int64_t kMaxPollingTime_us = 9999;
constexpr std::int64_t kMaxTile = 65536;

constexpr std::array<string_view, 20> kPerfProfiles{"burst",
                                                    "sustained_high_performance",
                                                    "high_performance",
                                                    "balanced",
                                                    "low_balanced",
                                                    "high_power_saver",
                                                    "power_saver",
                                                    "low_power_saver",
                                                    "extreme_power_saver",
                                                    "system_settings",
                                                    "llm_decode_burst",
                                                    "llm_decode_sustained_high_performance",
                                                    "llm_decode_high_performance",
                                                    "llm_decode_balanced",
                                                    "llm_decode_low_balanced",
                                                    "llm_decode_high_power_saver",
                                                    "llm_decode_power_saver",
                                                    "llm_decode_low_power_saver",
                                                    "llm_decode_extreme_power_saver",
                                                    "llm_decode_default"};
constexpr std::array<string_view, 8> kArchitectures{"v68", "v69", "v73", "v75",
                                                    "v79", "v81", "v85", "v89"};
constexpr std::array<string_view, 2> kSessions{"unsigned", "signed"};
constexpr std::array<string_view, 1> kProfilingLevels{"linting"};
constexpr std::array<string_view, 1> kMemoryTypes{"shared_buffer"};
constexpr std::array<string_view, 3> kStrategies{"none", "greedy", "lru"};

// Kinds without limits, and one for each kind with them: the tables below read as "key, what".
constexpr KeyRule integer(string_view key, std::int64_t lowest, std::int64_t highest = kMaxInt) {
  return {key, KeyKind::kInteger, lowest, highest};
}
constexpr KeyRule flag_of(string_view key) {
  return {key, KeyKind::kFlag};
}
constexpr KeyRule word(string_view key, std::span<const string_view> words) {
  return {key, KeyKind::kWord, 0, 0, words};
}
constexpr KeyRule text(string_view key) {
  return {key, KeyKind::kText};
}
constexpr KeyRule object(string_view key, std::span<const KeyRule> members) {
  return {key, KeyKind::kObject, 0, 0, {}, members};
}
constexpr KeyRule objects(string_view key, std::span<const KeyRule> members) {
  return {key, KeyKind::kObjects, 0, 0, {}, members};
}

constexpr std::array kFinalizeKeys{integer("P", 0, 23)};
constexpr std::array kBoundingKeys{integer("hmx_frequency", 0), integer("dsp_core_frequency", 0)};
constexpr std::array kGraphKeys{KeyRule{"graph_names", KeyKind::kTexts},
                                integer("vtcm_mb", 0, kMaxVtcm_mb),
                                integer("vtcm_size", 0, kMaxVtcm_bytes),
                                integer("O", 1, 3),
                                integer("hvx_threads", 1, kMaxHvxThreads),
                                flag_of("dlbc"),
                                flag_of("dlbc_weights"),
                                flag_of("fp16_relaxed_precision"),
                                object("finalize_config", kFinalizeKeys),
                                flag_of("weights_packing"),
                                integer("sparse_weights_compression", 0),
                                flag_of("slc_alloc_enable"),
                                integer("num_cores", 1, 16),
                                flag_of("short_depth_conv_on_hmx_off"),
                                flag_of("fold_relu_activation_into_conv_off"),
                                flag_of("advanced_activation_fusion"),
                                flag_of("use_high_precision_fp16_sigmoid"),
                                flag_of("monolithic_lstm"),
                                flag_of("fp16_clamp_overflow"),
                                flag_of("vtcm_retention"),
                                object("hmx_op_bounding", kBoundingKeys),
                                word("perf_profile", kPerfProfiles)};
constexpr std::array kCoreKeys{integer("core_id", 0),
                               word("perf_profile", kPerfProfiles),
                               integer("rpc_control_latency", 0),
                               integer("rpc_polling_time", 0, kMaxPollingTime_us),
                               integer("hmx_timeout_us", 0),
                               integer("adaptive_polling_time", 0)};
constexpr std::array kDeviceKeys{
    integer("device_id", 0),       KeyRule{"core_id", KeyKind::kIntegers, 0, kMaxInt},
    integer("core_type", 0, 1),    integer("soc_id", 0),
    integer("soc_model", 0),       word("dsp_arch", kArchitectures),
    word("pd_session", kSessions), word("profiling_level", kProfilingLevels),
    flag_of("use_client_context"), objects("cores", kCoreKeys)};
constexpr std::array kSplittingKeys{flag_of("graph_splitting_enabled"),
                                    integer("num_prepare_threads", 1)};
constexpr std::array kContextKeys{flag_of("weight_sharing_enabled"),
                                  integer("max_spill_fill_buffer_for_group", 0),
                                  integer("group_id", 0),
                                  integer("file_read_memory_budget_in_mb", 0),
                                  flag_of("io_memory_estimation"),
                                  flag_of("init_acceleration"),
                                  text("concurrent_deserialization_patch"),
                                  flag_of("extended_udma"),
                                  flag_of("lora_weight_sharing"),
                                  flag_of("lora_weight_sharing_ram_preload"),
                                  integer("reused_io_limit_mb", 0),
                                  object("graph_splitting_configs", kSplittingKeys)};
constexpr std::array kGroupContextKeys{flag_of("share_resources"),
                                       integer("share_resources_optimization_type", 0),
                                       integer("reused_io_limit_mb", 0)};
constexpr std::array kMemoryKeys{word("mem_type", kMemoryTypes)};
constexpr std::array kExtensionKeys{objects("graphs", kGraphKeys), objects("devices", kDeviceKeys),
                                    objects("context", kContextKeys),
                                    object("groupContext", kGroupContextKeys),
                                    object("memory", kMemoryKeys)};

constexpr std::array kBackendKeys{text("shared_library_path"), text("config_file_path")};
constexpr std::array kOuterKeys{object("backend_extensions", kBackendKeys),
                                KeyRule{"context_configs"}, KeyRule{"graph_configs"}};

constexpr std::array kDlbcKeys{word("weight_cache_strategy", kStrategies),
                               word("activation_cache_strategy", kStrategies),
                               integer("max_weight_cache_mb", 0, kMaxVtcm_mb)};
constexpr std::array kTilingKeys{
    flag_of("prefer_vtcm_tiling"), integer("max_tile_height", 1, kMaxTile),
    integer("max_tile_width", 1, kMaxTile), integer("tile_channels", 1, kMaxTile)};
constexpr std::array kGraphConfigKeys{integer("vtcm_mb", 0, kMaxVtcm_mb), flag_of("enable_dlbc"),
                                      object("dlbc_config", kDlbcKeys),
                                      object("tiling_config", kTilingKeys)};
constexpr std::array kArticleKeys{object("graph_config", kGraphConfigKeys)};

/// On one line: a file may hold any character.
std::string printable(std::string text) {
  constexpr std::size_t kShown = 60;
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text.size() > kShown ? text.substr(0, kShown) + "..." : text;
}

[[noreturn]] void fail_unknown(const JsonCursor& member, const std::string& key,
                               std::span<const KeyRule> rules, const std::string& origin) {
  std::vector<std::string> known;
  for (const KeyRule& rule : rules) known.emplace_back(rule.key);
  NameIndex index(known);
  const std::vector<std::string> nearest = index.nearest(key, 1);
  const std::string help =
      nearest.empty() ? format("expected one of {}", join(known, ", "))
                      : format("did you mean '{}'? known here: {}", nearest[0], join(known, ", "));
  throw Error(ErrorCode::kInvalidData,
              format("{}: {}: unknown key: {}", origin, printable(member.path()), help));
}

void check_list(const JsonCursor& value, const KeyRule& rule, const std::string& origin) {
  value.expect_array();
  for (std::size_t i = 0; i < value.size(); ++i) {
    const JsonCursor element = value.at(i);
    if (rule.kind == KeyKind::kTexts) {
      static_cast<void>(element.text());
    } else if (rule.kind == KeyKind::kIntegers) {
      static_cast<void>(element.integer(rule.lowest, rule.highest));
    } else {
      check_members(element, rule.members, origin);
    }
  }
}

void check_value(const JsonCursor& value, const KeyRule& rule, const std::string& origin) {
  switch (rule.kind) {
    case KeyKind::kInteger:
      static_cast<void>(value.integer(rule.lowest, rule.highest));
      return;
    case KeyKind::kFlag:
      static_cast<void>(flag(value));
      return;
    case KeyKind::kWord:
      if (value.json().is_string() &&
          std::find(rule.words.begin(), rule.words.end(), value.text()) != rule.words.end()) {
        return;
      }
      value.fail(format("one of {}", join(rule.words, ", ")));
    case KeyKind::kText:
      if (value.text().empty()) value.fail("a text that is not empty");
      return;
    case KeyKind::kObject:
      check_members(value, rule.members, origin);
      return;
    case KeyKind::kObjects:
      if (value.is_object()) return check_members(value, rule.members, origin);
      return check_list(value, rule, origin);
    case KeyKind::kTexts:
    case KeyKind::kIntegers:
      return check_list(value, rule, origin);
    case KeyKind::kFree:
      return;
  }
}

}  // namespace

bool flag(const JsonCursor& value) {
  if (value.json().is_boolean()) return value.json().get<bool>();
  if (value.json().is_number()) {
    const auto number = value.json().get<double>();
    if (number == 0.0 || number == 1.0) return number == 1.0;
  }
  value.fail("true, false, 0 or 1");
}

void check_members(const JsonCursor& object, std::span<const KeyRule> rules,
                   const std::string& origin) {
  object.each_member([&](const std::string& key, const JsonCursor& member) {
    const auto rule = std::find_if(rules.begin(), rules.end(),
                                   [&](const KeyRule& candidate) { return candidate.key == key; });
    if (rule == rules.end()) fail_unknown(member, key, rules, origin);
    check_value(member, *rule, origin);
  });
}

std::span<const KeyRule> extension_rules() noexcept {
  return kExtensionKeys;
}

std::span<const KeyRule> outer_rules() noexcept {
  return kOuterKeys;
}

std::span<const KeyRule> article_rules() noexcept {
  return kArticleKeys;
}

}  // namespace hexquant::formats
