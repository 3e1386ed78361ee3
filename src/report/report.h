#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "hexquant/encoding.h"
#include "hexquant/finding.h"
#include "quant/statistics.h"

namespace hexquant::report {

/// One layer with weights, or one operation with its own output encoding.
struct LayerRow {
  std::string name;
  std::string op;
  int weight_bits = 0;  ///< effective; 0 = no weights, 32 = float
  int act_bits = 0;     ///< effective, of the output; 32 = float
  int requested_weight_bits = 0;
  int requested_act_bits = 0;
  Granularity granularity = Granularity::kTensor;
  std::string reason;           ///< why it differs from what was asked; empty when it does not
  std::string output;           ///< tensor that carries the layer's output encoding
  double sqnr_db = 0.0;         ///< of that tensor, quantized model against float; NaN = unknown
  double weight_sqnr_db = 0.0;  ///< of the weights alone; NaN = no weights
  std::int64_t parameters = 0;
};

/// What the steps of rounding left of one layer's output error: dB of output power over noise
/// power, +inf when exact. Steps that were not taken repeat the one before.
struct RoundingRow {
  std::string layer;
  std::string weight;
  double min_max_db = 0.0;
  double clip_search_db = 0.0;
  double gptq_db = 0.0;
  double result_db = 0.0;
  /// Behind the Relu or Clip that follows, before and after the codes were refined for it; NaN =
  /// they were not.
  double clamped_before_db = std::numeric_limits<double>::quiet_NaN();
  double clamped_result_db = std::numeric_limits<double>::quiet_NaN();
  double bias_shift = 0.0;  ///< rms change of the bias / rms of the output
  int sweeps = 0;
  std::int64_t positions = 0;
};

/// Distribution of an activation and the range chosen for it.
struct ActivationRow {
  std::string tensor;
  std::string type;  ///< "uint8", ...
  float observed_min = 0.0F;
  float observed_max = 0.0F;
  double range_min = 0.0;
  double range_max = 0.0;
  float scale = 0.0F;
  std::int32_t zero_point = 0;
  double clipped_fraction = 0.0;  ///< share of elements outside the range (to one histogram bin)
  /// Squared error of the range above that of the best one; NaN = no observer chose it.
  double range_excess_db = std::numeric_limits<double>::quiet_NaN();
  quant::Histogram histogram;  ///< empty when none was gathered
};

/// What cross-layer equalization did to one group of layers.
struct EqualizationRow {
  std::vector<std::string> producers;  ///< nodes whose output channels were divided
  std::vector<std::string> consumers;  ///< nodes whose input channels were multiplied
  double strength = 0.0;               ///< 0 = left alone
  double error_before = 0.0;           ///< relative, of this group alone; NaN = not measured
  double error_after = 0.0;
  std::int64_t channels = 0;
  std::int64_t channels_scaled = 0;
  std::int64_t channels_fixed = 0;  ///< they reach the limit of a Clip
  std::string bound;                ///< "none", "interval" or "observed": see the schema
  std::int64_t dead_channels = 0;
  std::int64_t absorbed_channels = 0;
};

/// A metric before and after.
struct Summary {
  std::string metric;
  std::map<std::string, double> fp32;
  std::map<std::string, double> quantized;
  double sqnr_db = 0.0;
  double cosine = 0.0;
  double mse = 0.0;
  double agreement = 0.0;
  std::int64_t samples = 0;
  /// 95 % paired interval of the metric's difference quantized - float, when it has one.
  std::optional<std::pair<double, double>> interval;
};

/// Everything report.json and report.html show.
/// What the latency model says: an estimate, never a measurement.
struct PerformanceRow {
  double time_us = 0.0;
  double lower_us = 0.0;
  double upper_us = 0.0;
  std::int64_t ddr_bytes = 0;
  double median_error = 0.0;  ///< of such predictions against the vendor's estimates
};

/// One step of the ladder of `auto`.
struct RungRow {
  std::string method;  ///< "ptq", "cle + adaptive-rounding", ...
  std::string reason;  ///< why it was tried, or why it was not
  bool ran = true;
  std::string metric;
  double value = 0.0;  ///< of the metric
  double loss = 0.0;   ///< see evaluate::CandidateScore::loss
  bool meets_target = false;
  bool chosen = false;
  double predicted_us = 0.0;
  double seconds = 0.0;
};

/// One epoch of training; epoch 0 is the model before it.
struct EpochRow {
  std::int64_t epoch = 0;
  std::int64_t steps = 0;
  double loss = 0.0;   ///< mean of its steps; NaN for epoch 0
  double value = 0.0;  ///< of the validation metric
  double learning_rate = 0.0;
  double samples_per_s = 0.0;  ///< while training
  double seconds = 0.0;        ///< training and validation
  bool is_best = false;        ///< better than every epoch before
};

/// Quantization-aware training.
struct TrainingSection {
  std::string metric;
  std::string loss;  ///< "cross-entropy", "distillation" or "both"
  std::string optimizer;
  std::int64_t epochs = 0;      ///< that were asked for
  std::int64_t best_epoch = 0;  ///< which is the result
  std::int64_t parameters = 0;  ///< elements that were trained
  std::int64_t ranges = 0;      ///< scales and limits among them
  std::int64_t resumed_step = 0;
  std::string stopped;          ///< why it ended early; empty when it did not
  std::vector<EpochRow> curve;  ///< empty: no training
};

struct QuantizeReport {
  std::string model;
  std::string soc;
  std::string htp_arch;
  Json recipe;
  Summary summary;
  std::vector<LayerRow> layers;
  std::vector<ActivationRow> activations;
  std::vector<RoundingRow> rounding;          ///< layers rounded with the help of data, graph order
  std::vector<EqualizationRow> equalization;  ///< empty without cle
  std::vector<std::pair<std::string, std::int64_t>> passes;      ///< pass, places it applied to
  std::vector<std::pair<std::string, double>> seconds;           ///< stage, wall seconds
  std::vector<std::pair<std::string, std::int64_t>> file_bytes;  ///< written file, size
  PerformanceRow performance;
  /// What `analyze` says of the quantized model (docs/schema/analyze.schema.json, without its
  /// header), for the page only; null = not predicted.
  Json analysis;
  /// For the page only, null = none: docs/schema/sensitivity.schema.json without its header,
  /// mixed-precision.schema.json likewise, and check.schema.json.
  Json sensitivity;
  Json search;
  Json checklist;
  std::vector<RungRow> rungs;  ///< auto only
  TrainingSection training;
  std::int64_t float_weight_bytes = 0;
  std::int64_t quantized_weight_bytes = 0;
  std::int64_t peak_rss_bytes = 0;
  std::int64_t samples = 0;
  int threads = 0;
  Findings findings;
};

/// report.json (schema docs/schema/report.schema.json); `header` holds schema, command, versions.
[[nodiscard]] Json report_json(const QuantizeReport& report, const Json& header);

/// A self-contained page: result, checklist, what to do next, per-layer error bars, activation
/// histograms with chosen ranges, findings, recipe, and a section for each method that ran. Works
/// offline; plots are inline SVG.
[[nodiscard]] std::string report_html(const QuantizeReport& report, const Json& header);

/// The page of the data that page_data() gave of it, changed or not.
[[nodiscard]] std::string report_html(Json data);

}  // namespace hexquant::report
