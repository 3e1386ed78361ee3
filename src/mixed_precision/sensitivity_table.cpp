#include "mixed_precision/sensitivity_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "core/decibel.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::mixed_precision {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::array<const char*, 3> kKindNames = {"weights", "activation", "both"};

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

double number(const JsonCursor& json) {
  return json.json().is_null() ? kNan : json.number();
}

int width(const JsonCursor& json) {
  const auto bits = static_cast<int>(json.integer(4, kFloatBits));
  if (bits != 4 && bits != 8 && bits != 16 && bits != kFloatBits) json.fail("4, 8, 16 or 32");
  return bits;
}

Measurement measurement_from_json(const JsonCursor& json) {
  Measurement one;
  const std::string& kind = json.at("kind").text();
  const auto found = std::find(kKindNames.begin(), kKindNames.end(), kind);
  if (found == kKindNames.end()) json.at("kind").fail("weights, activation or both");
  one.candidate.kind = static_cast<CandidateKind>(found - kKindNames.begin());
  one.candidate.weight_bits = width(json.at("weight_bits"));
  one.candidate.act_bits = width(json.at("act_bits"));
  one.effect.metric = number(json.at("metric"));
  one.effect.loss = number(json.at("loss"));
  const bool is_exact = json.at("exact").boolean();
  one.effect.sqnr_db =
      is_exact ? std::numeric_limits<double>::infinity() : number(json.at("sqnr_db"));
  one.effect.kl = number(json.at("kl"));
  one.effect.cosine = number(json.at("cosine"));
  one.effect.agreement = number(json.at("agreement"));
  return one;
}

Json row_json(const SensitivityRow& row, bool is_block) {
  Json json;
  json["name"] = row.name;
  if (is_block) {
    json["layers"] = row.layers;
  } else {
    json["op"] = row.op;
    json["weight"] = row.weight;
    json["output"] = row.output;
    json["block"] = row.block < 0 ? Json(nullptr) : Json(row.block);
  }
  json["candidates"] = to_json(row.measured);
  return json;
}

SensitivityRow row_from_json(const JsonCursor& json, bool is_block) {
  SensitivityRow row;
  row.name = json.at("name").text();
  if (is_block) {
    const JsonCursor layers = json.at("layers");
    layers.expect_array();
    for (std::size_t i = 0; i < layers.size(); ++i) row.layers.push_back(layers.at(i).text());
  } else {
    row.op = json.at("op").text();
    row.weight = json.at("weight").text();
    row.output = json.at("output").text();
    const JsonCursor block = json.at("block");
    constexpr std::int64_t kMostBlocks = 1 << 30;
    if (!block.json().is_null()) row.block = static_cast<int>(block.integer(0, kMostBlocks));
  }
  row.measured = measurements_from_json(json.at("candidates"));
  return row;
}

}  // namespace

const char* kind_name(CandidateKind kind) noexcept {
  return kKindNames[static_cast<std::size_t>(kind)];
}

CandidateKind parse_kind(const std::string& name) {
  const auto found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) {
    throw Error(ErrorCode::kInvalidArgument,
                format("unknown kind '{}': expected {}", name, join(kKindNames, ", ")));
  }
  return static_cast<CandidateKind>(found - kKindNames.begin());
}

std::vector<Candidate> candidates_at(const std::vector<CandidateKind>& kinds, int weight_bits,
                                     int act_bits) {
  std::vector<Candidate> candidates;
  for (const CandidateKind kind : kinds) {
    Candidate candidate{kind, weight_bits, act_bits};
    if (kind == CandidateKind::kWeights) candidate.act_bits = kFloatBits;
    if (kind == CandidateKind::kActivation) candidate.weight_bits = kFloatBits;
    if (weight_bits == kFloatBits && act_bits == kFloatBits) candidate.kind = CandidateKind::kBoth;
    if (std::find(candidates.begin(), candidates.end(), candidate) == candidates.end()) {
      candidates.push_back(candidate);
    }
  }
  return candidates;
}

std::vector<Candidate> candidates_of(const std::vector<CandidateKind>& kinds,
                                     const std::vector<int>& widths) {
  std::vector<Candidate> candidates;
  for (const CandidateKind kind : kinds) {
    for (const int bits : widths) {
      for (const Candidate& one : candidates_at({kind}, bits, bits)) {
        if (std::find(candidates.begin(), candidates.end(), one) == candidates.end()) {
          candidates.push_back(one);
        }
      }
    }
  }
  return candidates;
}

double Effect::noise_ratio() const {
  return hexquant::noise_ratio(sqnr_db);
}

const Effect* SensitivityRow::find(const Candidate& candidate) const noexcept {
  for (const Measurement& one : measured) {
    if (one.candidate == candidate) return &one.effect;
  }
  return nullptr;
}

double SensitivityRow::worst_loss() const noexcept {
  double worst = kNan;
  for (const Measurement& one : measured) worst = std::fmax(worst, one.effect.loss);
  return worst;
}

Json to_json(const std::vector<Measurement>& measured) {
  Json json = Json::array();
  for (const auto& [candidate, effect] : measured) {
    json.push_back({{"kind", kind_name(candidate.kind)},
                    {"weight_bits", candidate.weight_bits},
                    {"act_bits", candidate.act_bits},
                    {"metric", number(effect.metric)},
                    {"loss", number(effect.loss)},
                    {"sqnr_db", number(effect.sqnr_db)},
                    {"exact", effect.sqnr_db == std::numeric_limits<double>::infinity()},
                    {"kl", number(effect.kl)},
                    {"cosine", number(effect.cosine)},
                    {"agreement", number(effect.agreement)}});
  }
  return json;
}

std::vector<Measurement> measurements_from_json(const JsonCursor& json) {
  json.expect_array();
  std::vector<Measurement> measured;
  for (std::size_t i = 0; i < json.size(); ++i) {
    measured.push_back(measurement_from_json(json.at(i)));
  }
  return measured;
}

Json to_json(const SensitivityTable& table) {
  Json json;
  json["model"] = table.model;
  json["metric"] = table.metric;
  json["samples"] = table.samples;
  json["baseline"] = Json::object();
  for (const auto& [name, value] : table.baseline) json["baseline"][name] = number(value);
  json["layers"] = Json::array();
  for (const SensitivityRow& row : table.layers) json["layers"].push_back(row_json(row, false));
  json["blocks"] = Json::array();
  for (const SensitivityRow& row : table.blocks) json["blocks"].push_back(row_json(row, true));
  return json;
}

SensitivityTable table_from_json(const Json& json, const std::string& origin) {
  const JsonCursor root(json, origin);
  SensitivityTable table;
  table.model = root.at("model").text();
  table.metric = root.at("metric").text();
  table.samples = root.at("samples").integer(0, std::numeric_limits<std::int64_t>::max());
  root.at("baseline").each_member([&](const std::string& name, const JsonCursor& value) {
    table.baseline[name] = number(value);
  });
  const auto read = [&](const char* key, bool is_block, std::vector<SensitivityRow>& rows) {
    const JsonCursor list = root.at(key);
    list.expect_array();
    for (std::size_t i = 0; i < list.size(); ++i) {
      rows.push_back(row_from_json(list.at(i), is_block));
    }
  };
  read("layers", false, table.layers);
  read("blocks", true, table.blocks);
  return table;
}

}  // namespace hexquant::mixed_precision
