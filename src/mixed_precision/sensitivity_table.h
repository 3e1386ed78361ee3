#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/json_cursor.h"

namespace hexquant::mixed_precision {

/// Width of what is not quantized.
inline constexpr int kFloatBits = 32;

/// What of a layer or block is quantized, everything else in the model being float.
enum class CandidateKind {
  kWeights,     ///< weights and bias
  kActivation,  ///< the values that the layer hands on (behind a fused activation)
  kBoth
};
/// "weights", "activation", "both".
[[nodiscard]] const char* kind_name(CandidateKind kind) noexcept;
/// @throws Error(kInvalidArgument) listing the names
[[nodiscard]] CandidateKind parse_kind(const std::string& name);

struct Candidate {
  CandidateKind kind = CandidateKind::kBoth;
  int weight_bits = kFloatBits;  ///< 4, 8, 16 or kFloatBits
  int act_bits = kFloatBits;
  friend auto operator<=>(const Candidate&, const Candidate&) = default;
};

/// Each kind at one pair of widths.
[[nodiscard]] std::vector<Candidate> candidates_at(const std::vector<CandidateKind>& kinds,
                                                   int weight_bits, int act_bits);
/// Kinds times widths, each once. Nothing quantized (kFloatBits) is one candidate, of kind kBoth.
[[nodiscard]] std::vector<Candidate> candidates_of(const std::vector<CandidateKind>& kinds,
                                                   const std::vector<int>& widths);

/// What a candidate does to the model's outputs. NaN = not defined for this metric.
struct Effect {
  double metric = 0.0;  ///< the task metric of the model with this candidate
  /// How much worse than the float model in the metric's unit; for sqnr the noise-to-signal ratio
  /// 10^(-sqnr_db / 10).
  double loss = 0.0;
  double sqnr_db = 0.0;  ///< of all floating-point outputs against the float model's; +inf = equal
  double kl = 0.0;       ///< mean softmax_kl(float, candidate), nats
  double cosine = 1.0;
  double agreement = 1.0;  ///< share of rows with the same argmax

  [[nodiscard]] double noise_ratio() const;
};

struct Measurement {
  Candidate candidate;
  Effect effect;
};

/// One layer, or one block of them.
struct SensitivityRow {
  std::string name;                 ///< layer: its node; block: "first .. last"
  std::string op;                   ///< layer: its operation; block: ""
  std::string weight;               ///< layer: initializer; may be empty
  std::string output;               ///< layer: value behind a fused activation
  int block = -1;                   ///< layer: index of its block; -1 = none
  std::vector<std::string> layers;  ///< block: its layers
  std::vector<Measurement> measured;

  [[nodiscard]] const Effect* find(const Candidate& candidate) const noexcept;
  /// Largest loss of all candidates; NaN when none has one.
  [[nodiscard]] double worst_loss() const noexcept;
};

/// What quantizing one layer at a time, and one block at a time, costs.
struct SensitivityTable {
  std::string model;
  std::string metric;
  std::int64_t samples = 0;
  std::map<std::string, double> baseline;  ///< metrics of the float model
  std::vector<SensitivityRow> layers;      ///< in the order in which they run
  std::vector<SensitivityRow> blocks;
};

/// Candidates of one row; NaN and infinities become null, "exact" tells an infinite SQNR.
[[nodiscard]] Json to_json(const std::vector<Measurement>& measured);
/// @throws Error(kInvalidData) naming the file and key
[[nodiscard]] std::vector<Measurement> measurements_from_json(const JsonCursor& json);

/// Members of docs/schema/sensitivity.schema.json after the header. No times: an interrupted and
/// resumed run gives the same bytes.
[[nodiscard]] Json to_json(const SensitivityTable& table);
/// Reads what to_json wrote, header or not. @throws Error(kInvalidData) naming the file and key
[[nodiscard]] SensitivityTable table_from_json(const Json& json, const std::string& origin);

}  // namespace hexquant::mixed_precision
