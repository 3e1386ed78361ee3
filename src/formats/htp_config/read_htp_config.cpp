#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/file_io.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "core/json_cursor.h"
#include "formats/htp_config/htp_config.h"
#include "formats/htp_config/key_rules.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

namespace fs = std::filesystem;

/// The limits were checked with the file (check_members); here any integer will do.
constexpr std::int64_t kAnyInteger = std::int64_t{1} << 40;
constexpr int kMegabyteShift = 20;

void warn(Findings& findings, const char* id, const std::string& where, std::string reason,
          std::string fix) {
  findings.push_back({id, Severity::kWarning, where, std::move(reason), std::move(fix)});
}

/// One checked object whose known members are taken out one by one.
class Members {
 public:
  Members(const JsonCursor& object, const std::string& origin) : object_(object), origin_(origin) {}

  void take(const char* key, std::optional<std::int64_t>& value) {
    if (const auto member = taken(key)) value = member->integer(-kAnyInteger, kAnyInteger);
  }
  void take(const char* key, std::optional<bool>& value) {
    if (const auto member = taken(key)) value = flag(*member);
  }
  void take(const char* key, std::string& value) {
    if (const auto member = taken(key)) value = member->text();
  }
  void take(const char* key, std::optional<CacheStrategy>& value) {
    const auto member = taken(key);
    if (!member) return;
    for (const auto strategy :
         {CacheStrategy::kNone, CacheStrategy::kGreedy, CacheStrategy::kLru}) {
      if (member->text() == cache_strategy_name(strategy)) value = strategy;
    }
  }
  /// The member, which no longer counts as left.
  std::optional<JsonCursor> taken(const char* key) {
    taken_.push_back(key);
    return object_.find(key);
  }
  /// What nobody took, in the file's order.
  [[nodiscard]] Json left() const {
    Json rest = Json::object();
    for (const auto& item : object_.json().items()) {
      const auto found = std::find(taken_.begin(), taken_.end(), item.key());
      if (found == taken_.end()) rest[item.key()] = item.value();
    }
    return rest;
  }
  /// "htp.json: graphs[0].vtcm_mb"
  [[nodiscard]] std::string where(const char* key) const {
    const std::string path = object_.path();
    return format("{}: {}{}{}", origin_, path, path.empty() ? "" : ".", key);
  }

 private:
  const JsonCursor& object_;
  const std::string& origin_;
  std::vector<std::string_view> taken_;
};

/// vtcm_size (bytes) wins over vtcm_mb, as the backend has it.
void take_vtcm(Members& members, Findings& findings, HtpConfig& config) {
  members.take("vtcm_mb", config.vtcm_mb);
  std::optional<std::int64_t> bytes;
  members.take("vtcm_size", bytes);
  if (!bytes) return;
  const std::int64_t size_mb = *bytes >> kMegabyteShift;
  if (*bytes != 0 && size_mb == 0) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: expected bytes, at least 1048576 (1 MB), got {}",
                       members.where("vtcm_size"), *bytes));
  }
  if (size_mb << kMegabyteShift != *bytes) {
    warn(findings, "htp-config-vtcm-rounded", members.where("vtcm_size"),
         format("{} bytes are no whole number of MB: {} MB are used", *bytes, size_mb),
         "give a multiple of 1048576");
  }
  if (config.vtcm_mb && *config.vtcm_mb != size_mb) {
    warn(findings, "htp-config-vtcm-size-wins", members.where("vtcm_size"),
         format("{} bytes win over vtcm_mb {}", *bytes, *config.vtcm_mb), "keep one of the two");
  }
  config.vtcm_mb = size_mb;
}

/// Optimization points that the backend documents.
bool is_finalize_point(std::int64_t point) {
  return point <= 6 || point == 8 || point == 13 || (point >= 15 && point <= 17) || point >= 19;
}

void check_optimization(const JsonCursor& graph, const Members& members, Findings& findings,
                        const HtpConfig& config) {
  if (config.optimization == 1) {
    warn(findings, "htp-config-reserved", members.where("O"),
         "1 is reserved by the vendor for internal use", "use 2 (default) or 3");
  }
  const auto finalize = graph.find("finalize_config");
  if (!finalize) return;
  const auto point = finalize->find("P");
  if (!point) return;
  if (!is_finalize_point(point->integer(-kAnyInteger, kAnyInteger))) {
    point->fail("one of 0-6, 8, 13, 15-17, 19-23");
  }
  if (config.optimization.value_or(2) != 3) {
    warn(findings, "htp-config-no-effect", members.where("finalize_config.P"),
         "works only with O = 3", "set O to 3, or remove finalize_config");
  }
}

void read_graph(const JsonCursor& graph, const std::string& origin, Findings& findings,
                HtpConfig& config) {
  Members members(graph, origin);
  if (const auto names = members.taken("graph_names")) {
    config.graph_names = names->json().get<std::vector<std::string>>();
  }
  take_vtcm(members, findings, config);
  members.take("O", config.optimization);
  members.take("hvx_threads", config.hvx_threads);
  members.take("dlbc", config.dlbc);
  members.take("dlbc_weights", config.dlbc_weights);
  members.take("fp16_relaxed_precision", config.fp16_relaxed_precision);
  if (config.fp16_relaxed_precision) {
    warn(findings, "htp-config-deprecated", members.where("fp16_relaxed_precision"),
         "has had no effect since QAIRT 2.35: the chip decides", "remove it");
  }
  config.graph_options = members.left();
  check_optimization(graph, members, findings, config);
}

/// Calls visit(element) for each object of a list, or for the one object that stands for it.
template <typename Visit>
void each_object(const JsonCursor& value, Visit visit) {
  if (value.is_object()) return visit(value);
  for (std::size_t i = 0; i < value.size(); ++i) visit(value.at(i));
}

bool names_graph(const JsonCursor& graph, const std::string& name) {
  const auto names = graph.find("graph_names");
  if (!names) return false;
  const Json& list = names->json();
  return std::find(list.begin(), list.end(), Json(name)) != list.end();
}

/// The entry that names the graph, else the first.
void read_graphs(const JsonCursor& graphs, const std::string& origin, const std::string& graph_name,
                 Findings& findings, HtpConfig& config) {
  if (graphs.is_object()) {
    warn(findings, "htp-config-deprecated", origin + ": graphs",
         "one object in place of a list is the form before QNN 2.20", "write [{...}]");
  }
  std::size_t count = 0;
  std::optional<std::size_t> named;
  each_object(graphs, [&](const JsonCursor& graph) {
    if (!named && !graph_name.empty() && names_graph(graph, graph_name)) named = count;
    ++count;
  });
  const std::size_t chosen = named.value_or(0);
  std::size_t index = 0;
  each_object(graphs, [&](const JsonCursor& graph) {
    if (index++ == chosen) read_graph(graph, origin, findings, config);
  });
  if (count < 2) return;
  warn(findings, "htp-config-other-graphs", origin + ": graphs",
       format("{} entries: graphs[{}] is used, the others are left out", count, chosen),
       "name the graph, or give each its own file");
}

void read_cores(const JsonCursor& cores, const std::string& origin, HtpConfig& config) {
  bool first = true;
  each_object(cores, [&](const JsonCursor& core) {
    if (!std::exchange(first, false)) {
      config.more_cores.push_back(core.json());
      return;
    }
    Members members(core, origin);
    members.take("perf_profile", config.perf_profile);
    config.core_options = members.left();
  });
}

/// soc_id is the old name of soc_model.
void take_soc(Members& members, Findings& findings, HtpConfig& config) {
  members.take("soc_model", config.soc_model);
  std::optional<std::int64_t> soc_id;
  members.take("soc_id", soc_id);
  if (!soc_id) return;
  const bool differs = config.soc_model && *config.soc_model != *soc_id;
  warn(findings, "htp-config-deprecated", members.where("soc_id"),
       differs ? format("{} is overruled by soc_model {}", *soc_id, *config.soc_model)
               : std::string("is the old name of soc_model"),
       "use soc_model alone");
  if (!config.soc_model) config.soc_model = soc_id;
}

void read_device(const JsonCursor& device, const std::string& origin, Findings& findings,
                 HtpConfig& config) {
  Members members(device, origin);
  take_soc(members, findings, config);
  members.take("dsp_arch", config.dsp_arch);
  members.take("pd_session", config.pd_session);
  if (const auto cores = members.taken("cores")) read_cores(*cores, origin, config);
  config.device_options = members.left();
}

void read_devices(const JsonCursor& devices, const std::string& origin, Findings& findings,
                  HtpConfig& config) {
  bool first = true;
  each_object(devices, [&](const JsonCursor& device) {
    if (std::exchange(first, false)) {
      read_device(device, origin, findings, config);
    } else {
      config.more_devices.push_back(device.json());
    }
  });
}

/// A list of one is the form of the vendor's Python tools.
Json read_context(const JsonCursor& context) {
  if (context.is_object()) return context.json();
  if (context.size() != 1) context.fail("one object");
  return context.at(std::size_t{0}).json();
}

/// Options that the vendor documents as excluding each other.
void check_conflicts(const std::string& origin, const HtpConfig& config) {
  const JsonCursor context(config.context, origin);
  const auto sharing = context.find("weight_sharing_enabled");
  const bool shares = sharing && flag(*sharing);
  if (shares && config.dlbc_weights.value_or(false)) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: context.weight_sharing_enabled: the backend compresses no shared "
                       "weights: expected false, or dlbc_weights 0",
                       origin));
  }
  constexpr std::string_view kDecodeProfiles = "llm_decode_";
  const bool old = config.dsp_arch == "v68" || config.dsp_arch == "v69" ||
                   config.dsp_arch == "v73" || config.dsp_arch == "v75";
  if (config.perf_profile.starts_with(kDecodeProfiles) && old) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: devices[0].cores[0].perf_profile: {} needs v79 or later, and dsp_arch "
                       "is {}: expected another profile, such as burst",
                       origin, config.perf_profile, config.dsp_arch));
  }
}

HtpConfig read_extensions(const JsonCursor& root, const std::string& origin,
                          const std::string& graph_name, Findings& findings) {
  check_members(root, extension_rules(), origin);
  HtpConfig config;
  if (const auto graphs = root.find("graphs")) {
    read_graphs(*graphs, origin, graph_name, findings, config);
  }
  if (const auto devices = root.find("devices")) {
    read_devices(*devices, origin, findings, config);
  }
  if (const auto context = root.find("context")) config.context = read_context(*context);
  if (const auto group = root.find("groupContext")) config.group_context = group->json();
  if (const auto memory = root.find("memory")) config.memory = memory->json();
  check_conflicts(origin, config);
  return config;
}

void read_planner(Members& graph, const std::string& origin, HtpPlannerConfig& planner) {
  if (const auto cache = graph.taken("dlbc_config")) {
    Members members(*cache, origin);
    members.take("weight_cache_strategy", planner.weight_cache_strategy);
    members.take("activation_cache_strategy", planner.activation_cache_strategy);
    members.take("max_weight_cache_mb", planner.max_weight_cache_mb);
  }
  if (const auto tiling = graph.taken("tiling_config")) {
    Members members(*tiling, origin);
    members.take("prefer_vtcm_tiling", planner.prefer_vtcm_tiling);
    members.take("max_tile_height", planner.max_tile_height);
    members.take("max_tile_width", planner.max_tile_width);
    members.take("tile_channels", planner.tile_channels);
  }
}

HtpConfig read_article(const JsonCursor& root, const std::string& origin, Findings& findings) {
  check_members(root, article_rules(), origin);
  HtpConfig config;
  const JsonCursor graph = root.at("graph_config");
  Members members(graph, origin);
  members.take("vtcm_mb", config.vtcm_mb);
  members.take("enable_dlbc", config.dlbc);
  read_planner(members, origin, config.planner);
  const std::int64_t cache_mb = config.planner.max_weight_cache_mb.value_or(0);
  // vtcm_mb 0 means all that the chip has.
  if (config.vtcm_mb.value_or(0) != 0 && cache_mb > *config.vtcm_mb) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: graph_config.dlbc_config.max_weight_cache_mb: expected at most vtcm_mb "
                       "({}), got {}",
                       origin, *config.vtcm_mb, cache_mb));
  }
  const Findings more = not_expressible(config, origin);
  append(findings, more);
  return config;
}

enum class Form { kArticle, kOuter, kExtensions };

bool holds(const JsonCursor& root, std::initializer_list<const char*> keys) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const char* key) { return root.find(key).has_value(); });
}

Form form_of(const JsonCursor& root, const std::string& origin) {
  root.expect_object();
  const bool extensions = holds(root, {"graphs", "devices", "context", "groupContext", "memory"});
  const bool article = holds(root, {"graph_config"});
  const bool outer = holds(root, {"backend_extensions"});
  if (int{extensions} + int{article} + int{outer} == 1) {
    if (article) return Form::kArticle;
    return outer ? Form::kOuter : Form::kExtensions;
  }
  throw Error(ErrorCode::kInvalidData,
              format("{}: expected exactly one of graph_config, backend_extensions (with "
                     "config_file_path), or graphs, devices, context, groupContext, memory",
                     origin));
}

}  // namespace

HtpConfig parse_htp_config(const NamedText& file,
                           const std::function<NamedText(const std::string&)>& read_inner,
                           Findings& findings, const std::string& graph_name) {
  const Json json = parse_json(file.text, file.name, JsonComments::kPassedOver);
  const JsonCursor root(json, file.name);
  const Form form = form_of(root, file.name);
  if (form == Form::kArticle) return read_article(root, file.name, findings);
  if (form == Form::kExtensions) return read_extensions(root, file.name, graph_name, findings);

  check_members(root, outer_rules(), file.name);
  const JsonCursor extensions = root.at("backend_extensions");
  const NamedText inner = read_inner(extensions.at("config_file_path").text());
  const Json inner_json = parse_json(inner.text, inner.name, JsonComments::kPassedOver);
  HtpConfig config =
      read_extensions(JsonCursor(inner_json, inner.name), inner.name, graph_name, findings);
  Members members(root, file.name);
  static_cast<void>(members.taken("backend_extensions"));
  config.tool_options = members.left();
  return config;
}

HtpConfig read_htp_config(const fs::path& path, Findings& findings, const std::string& graph_name) {
  const auto read_inner = [&](const std::string& name) {
    std::error_code ignored;
    const fs::path beside = path.parent_path() / name;
    const fs::path inner = fs::exists(beside, ignored) ? beside : fs::path(name);
    if (!fs::exists(inner, ignored)) {
      throw Error(ErrorCode::kIo,
                  format("{}: backend_extensions.config_file_path: expected a file beside this one "
                         "or in the current folder, got '{}', which is in neither",
                         path.string(), name));
    }
    return NamedText{inner.string(), read_file(inner)};
  };
  return parse_htp_config({path.string(), read_file(path)}, read_inner, findings, graph_name);
}

}  // namespace hexquant::formats
