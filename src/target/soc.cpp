#include "target/soc.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/format.h"
#include "core/json.h"
#include "core/nearest_name.h"
#include "hexquant/error.h"

namespace hexquant::target {
namespace {

Figure parse_figure(const Json& soc, const char* key) {
  Figure figure;
  const Json& entry = soc.at(key);
  if (entry.at("value").is_null()) return figure;
  figure.value = entry.at("value").get<double>();
  figure.source = entry.at("source").get<std::string>();
  return figure;
}

struct FigureKey {
  const char* name;
  Figure Soc::*member;
};
constexpr std::array<FigureKey, 7> kFigures = {{
    {"vtcm_default_mb", &Soc::vtcm_default_mb},
    {"vtcm_max_mb", &Soc::vtcm_max_mb},
    {"tops_int8", &Soc::tops_int8},
    {"ddr_theoretical_gb_per_s", &Soc::ddr_theoretical_gb_per_s},
    {"ddr_effective_gb_per_s", &Soc::ddr_effective_gb_per_s},
    {"clock_mhz", &Soc::clock_mhz},
    {"l2_mb", &Soc::l2_mb},
}};

Soc parse_soc(const Json& entry) {
  Soc soc;
  soc.name = entry.at("name").get<std::string>();
  soc.soc_model = entry.at("soc_model").get<int>();
  soc.htp_arch = entry.at("htp_arch").get<std::string>();
  soc.description = entry.at("description").get<std::string>();
  soc.aliases = entry.at("aliases").get<std::vector<std::string>>();
  soc.vendor_estimates = entry.at("vendor_estimates").get<bool>();
  for (const FigureKey& key : kFigures) soc.*key.member = parse_figure(entry, key.name);
  return soc;
}

/// Lower case without spaces, hyphens and underscores: "8 Gen-3" and "8gen3" are the same.
std::string normalized(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

/// Everything a chip may be called, normalized.
std::vector<std::string> names_of(const Soc& soc) {
  std::vector<std::string> names = {normalized(soc.name), normalized(soc.description),
                                    std::to_string(soc.soc_model)};
  for (const std::string& alias : soc.aliases) {
    names.push_back(normalized(alias));
    names.push_back(normalized("snapdragon" + alias));
  }
  return names;
}

/// Part numbers of the chips with a name at the smallest distance, in file order.
std::vector<std::string> nearest_names(const std::vector<Soc>& socs, const std::string& wanted) {
  std::vector<std::string> nearest;
  std::size_t best = wanted.size() + 1;
  for (const Soc& soc : socs) {
    std::size_t distance = best + 1;
    for (const std::string& name : names_of(soc)) {
      distance = std::min(distance, edit_distance(wanted, name, best));
    }
    if (distance > best) continue;
    if (distance < best) nearest.clear();
    best = distance;
    nearest.push_back(soc.name);
  }
  return nearest;
}

}  // namespace

std::vector<Soc> parse_socs(const std::string& text, const std::string& origin) {
  const Json file = parse_json(text, origin);
  std::vector<Soc> socs;
  try {
    for (const Json& entry : file.at("socs")) socs.push_back(parse_soc(entry));
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: entry {} of \"socs\": {}", origin, socs.size(), error.what()));
  }
  return socs;
}

const Soc& find_soc(const std::vector<Soc>& socs, const std::string& name) {
  const std::string wanted = normalized(name);
  for (const Soc& soc : socs) {
    const auto names = names_of(soc);
    if (std::find(names.begin(), names.end(), wanted) != names.end()) return soc;
  }
  std::vector<std::string> known;
  for (const Soc& soc : socs) known.push_back(format("{} ({})", soc.name, soc.soc_model));
  throw Error(ErrorCode::kInvalidArgument,
              format("unknown SoC '{}': did you mean {}? known, with soc_model: {}", name,
                     join(nearest_names(socs, wanted), " or "), join(known, ", ")));
}

void override_figure(Soc& soc, const std::string& key, double value) {
  std::vector<std::string> names;
  for (const FigureKey& figure : kFigures) {
    names.emplace_back(figure.name);
    if (key != figure.name) continue;
    if (!(value > 0.0)) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("{}: {} is no figure of a chip: above 0 was expected", key, value));
    }
    soc.*figure.member = {value, "user"};
    return;
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("'{}' is no figure of a chip: known are {}", key, join(names, ", ")));
}

}  // namespace hexquant::target
