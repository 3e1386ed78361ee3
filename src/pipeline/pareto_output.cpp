#include <algorithm>
#include <cmath>

#include "core/finding_json.h"
#include "core/format.h"
#include "pipeline/mixed_precision.h"

namespace hexquant::pipeline {
namespace {

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json kept_back_json(const std::optional<KeptBackScore>& kept) {
  if (!kept) return nullptr;
  return {{"samples", kept->samples},
          {"reference", number(kept->reference)},
          {"value", number(kept->value)},
          {"loss", number(kept->loss)},
          {"sqnr_db", number(kept->sqnr_db)}};
}

Json point_json(const MixedPoint& point, bool on_front) {
  return {{"name", point.name},
          {"predicted_us", point.cost.time_us},
          {"lower_us", point.cost.lower_us},
          {"upper_us", point.cost.upper_us},
          {"ddr_bytes", point.cost.ddr_bytes},
          {"converts", point.cost.converts},
          {"raised_weight_share", point.cost.raised_weight_share},
          {"metric", number(point.evaluated.metric)},
          {"loss", number(point.evaluated.loss)},
          {"sqnr_db", number(point.evaluated.sqnr_db)},
          {"on_front", on_front},
          {"vendor", point.vendor ? to_json(*point.vendor) : Json(nullptr)},
          {"layer_bits", layer_bits_of(point.choice)}};
}

bool on_front(const MixedPrecisionResult& result, std::size_t index) {
  return std::find(result.front.begin(), result.front.end(), index) != result.front.end();
}

/// Maps values to pixels; a single value lies in the middle.
struct Axis {
  double low;
  double high;
  double start;
  double length;

  [[nodiscard]] double at(double value) const {
    if (!(high > low)) return start + length / 2.0;
    return start + length * (value - low) / (high - low);
  }
};

constexpr double kWidth = 640.0;
constexpr double kHeight = 400.0;
constexpr double kMargin = 60.0;

Axis axis_of(const std::vector<double>& values, double start, double length) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high, start, length};
}

std::string axes_svg(const Axis& x, const Axis& y) {
  std::string svg = format("<path d=\"M{0} {1}V{2}H{3}\" fill=\"none\" stroke=\"#888\"/>\n",
                           kMargin, kMargin / 2, kHeight - kMargin, kWidth - kMargin / 2);
  const auto text = [&](double at_x, double at_y, const char* anchor, const std::string& words) {
    svg += format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", at_x, at_y,
                  anchor, words);
  };
  text(x.at(x.low), kHeight - kMargin + 18, "middle", format("{:.4g}", x.low));
  text(x.at(x.high), kHeight - kMargin + 18, "middle", format("{:.4g}", x.high));
  text(kWidth / 2, kHeight - 12, "middle", "predicted time, us");
  text(kMargin - 6, y.at(y.low) + 4, "end", format("{:.3g}", y.low));
  text(kMargin - 6, y.at(y.high) + 4, "end", format("{:.3g}", y.high));
  text(kMargin, 18, "start", "loss");
  return svg;
}

}  // namespace

Json to_json(const MixedPrecisionResult& result) {
  Json json;
  json["metric"] = result.metric;
  json["reference"] = result.reference;
  json["max_loss"] = result.max_loss ? Json(*result.max_loss) : Json(nullptr);
  json["max_latency_us"] = result.max_latency_us ? Json(*result.max_latency_us) : Json(nullptr);
  json["meets_target"] = result.meets_target;
  json["chosen"] = result.chosen;
  json["points"] = Json::array();
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    json["points"].push_back(point_json(result.points[i], on_front(result, i)));
  }
  const QuantizeResult& final_model = result.final_model;
  Json verified;
  verified["metric"] = final_model.metric;
  verified["samples"] = final_model.evaluated_samples;
  const auto value = final_model.quantized.find("value");
  verified["value"] = value == final_model.quantized.end() ? Json(nullptr) : number(value->second);
  verified["loss"] = number(final_model.loss);
  verified["sqnr_db"] = number(final_model.sqnr_db);
  verified["kept_back"] = kept_back_json(result.kept_back);
  json["final"] = std::move(verified);
  json["findings"] = findings_json(result.findings);
  return json;
}

std::string pareto_csv(const MixedPrecisionResult& result) {
  std::string csv =
      "name,predicted_us,lower_us,upper_us,ddr_bytes,converts,raised_weight_share,metric,loss,"
      "sqnr_db,on_front,chosen,vendor_us,vendor_nodes_elsewhere\n";
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const MixedPoint& point = result.points[i];
    const bool has_time = point.vendor && point.vendor->time_us;
    const bool was_compiled = point.vendor && point.vendor->failure.empty();
    csv += format("{},{:.3f},{:.3f},{:.3f},{},{},{:.6f},{:.6f},{:.6f},{:.3f},{},{},{},{}\n",
                  point.name, point.cost.time_us, point.cost.lower_us, point.cost.upper_us,
                  point.cost.ddr_bytes, point.cost.converts, point.cost.raised_weight_share,
                  point.evaluated.metric, point.evaluated.loss, point.evaluated.sqnr_db,
                  on_front(result, i) ? 1 : 0, i == result.chosen ? 1 : 0,
                  has_time ? format("{:.3f}", point.vendor->time_us->value) : "",
                  was_compiled ? format("{}", point.vendor->nodes_elsewhere) : "");
  }
  return csv;
}

std::string pareto_svg(const MixedPrecisionResult& result) {
  std::vector<double> costs;
  std::vector<double> losses;
  for (const MixedPoint& point : result.points) {
    costs.push_back(point.cost.time_us);
    losses.push_back(point.evaluated.loss);
  }
  const Axis x = axis_of(costs, kMargin + 10, kWidth - 1.5 * kMargin - 20);
  // Upwards is worse; pixels count downwards.
  const Axis y = axis_of(losses, kHeight - kMargin - 10, -(kHeight - 1.5 * kMargin - 20));
  std::string svg = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
      kWidth, kHeight);
  svg += axes_svg(x, y);
  std::string line;
  for (const std::size_t i : result.front) {
    line += format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", x.at(costs[i]), y.at(losses[i]));
  }
  if (!line.empty()) svg += format("<path d=\"{}\" fill=\"none\" stroke=\"#2a6\"/>\n", line);
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const bool is_chosen = i == result.chosen;
    svg += format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"><title>{}: {:.1f} us, loss "
        "{:.4g}</title></circle>\n",
        x.at(costs[i]), y.at(losses[i]), is_chosen ? 7 : 4, is_chosen ? "#c33" : "#36c",
        result.points[i].name, costs[i], losses[i]);
  }
  return svg + "</svg>\n";
}

}  // namespace hexquant::pipeline
