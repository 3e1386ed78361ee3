#include <algorithm>
#include <filesystem>
#include <initializer_list>

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
std::string script_for(const Json& data) {
  std::string script;
  const auto add_if = [&](const char* member, std::initializer_list<std::string_view> parts) {
    const auto found = data.find(member);
    if (found == data.end() || found->empty()) return;
    for (const std::string_view part : parts) script += part;
  };
  add_if("checklist", {kChecklistJs});
  script += kNextStepsJs;
  add_if("rungs", {kLadderJs});
  add_if("sensitivity", {kSensitivityJs});
  add_if("search", {kParetoJs});
  add_if("training", {kTrainingJs});
  add_if("rounding", {kRoundingJs});
  add_if("equalization", {kEqualizationJs});
  add_if("analysis", {kTimelineJs, kRooflineJs, kPerformanceJs, kReportPerformanceJs});
  return script += kReportJs;
}

}  // namespace

std::string report_html(const QuantizeReport& report, const Json& header) {
  Json data = report_json(report, header);
  for (std::size_t i = 0; i < report.activations.size(); ++i) {
    data["activations"][i]["histogram"] = histogram_json(report.activations[i].histogram);
  }
  if (!report.analysis.is_null()) data["analysis"] = report.analysis;
  if (!report.sensitivity.is_null()) data["sensitivity"] = report.sensitivity;
  if (!report.search.is_null()) data["search"] = report.search;
  if (!report.checklist.is_null()) data["checklist"] = report.checklist;
  return report_html(std::move(data));
}

std::string report_html(Json data) {
  const auto text = [&](const char* member) {
    const auto found = data.find(member);
    return found != data.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string model = std::filesystem::path(text("model")).filename().string();
  std::string script = script_for(data);
  return html_page({.title = format("{} on {}: quantization report", model, text("soc")),
                    .script = std::move(script),
                    .data = std::move(data),
                    .has_charts = true});
}

}  // namespace hexquant::report
