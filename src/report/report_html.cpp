#include <algorithm>
#include <filesystem>

#include "core/format.h"
#include "report/assets.h"
#include "report/page.h"
#include "report/report.h"

namespace hexquant::report {
namespace {

/// Bars a histogram is drawn with at most: what a plot of 400 pixels can show.
constexpr std::size_t kPlotBins = 128;

/// Neighbouring bins merged so that at most kPlotBins remain; null when there is no histogram.
Json histogram_json(const quant::Histogram& histogram) {
  const std::size_t bins = histogram.counts.size();
  if (bins == 0) return nullptr;
  const std::size_t merged = (bins + kPlotBins - 1) / kPlotBins;
  Json counts = Json::array();
  for (std::size_t first = 0; first < bins; first += merged) {
    std::uint64_t sum = 0;
    for (std::size_t i = first; i < std::min(first + merged, bins); ++i) sum += histogram.counts[i];
    counts.push_back(sum);
  }
  return {{"lower", histogram.lower_edge()},
          {"width", histogram.bin_width() * static_cast<double>(merged)},
          {"counts", counts}};
}

/// Sections without rows are left out of the page.
std::string script_for(const QuantizeReport& report) {
  std::string script;
  if (!report.rungs.empty()) script += kLadderJs;
  if (!report.training.curve.empty()) script += kTrainingJs;
  if (!report.rounding.empty()) script += kRoundingJs;
  if (!report.equalization.empty()) script += kEqualizationJs;
  if (!report.analysis.is_null()) {
    for (const std::string_view part :
         {kTimelineJs, kRooflineJs, kPerformanceJs, kReportPerformanceJs}) {
      script += part;
    }
  }
  return script += kReportJs;
}

}  // namespace

std::string report_html(const QuantizeReport& report, const Json& header) {
  Json data = report_json(report, header);
  for (std::size_t i = 0; i < report.activations.size(); ++i) {
    data["activations"][i]["histogram"] = histogram_json(report.activations[i].histogram);
  }
  if (!report.analysis.is_null()) data["analysis"] = report.analysis;
  const std::string model = std::filesystem::path(report.model).filename().string();
  return html_page({.title = format("{} on {}: quantization report", model, report.soc),
                    .script = script_for(report),
                    .data = std::move(data)});
}

}  // namespace hexquant::report
