#pragma once

#include <string_view>

// Files of src/report/assets, compiled in by src/CMakeLists.txt.
namespace hexquant::report {

extern const std::string_view kPageHtml;
extern const std::string_view kPageCss;
extern const std::string_view kKitJs;           ///< elements, number formats, tables, tooltips
extern const std::string_view kVegaJs;          ///< the chart library; empty where it was not found
extern const std::string_view kChartsJs;        ///< charts drawn by it, or their tables
extern const std::string_view kReportJs;        ///< report.html
extern const std::string_view kChecklistJs;     ///< its section on the checklist
extern const std::string_view kNextStepsJs;     ///< its section on what to do next
extern const std::string_view kSensitivityJs;   ///< its section on what each layer alone costs
extern const std::string_view kParetoJs;        ///< its section on the search of mixed precision
extern const std::string_view kLadderJs;        ///< its section on the rungs of auto
extern const std::string_view kTrainingJs;      ///< its section on quantization-aware training
extern const std::string_view kRoundingJs;      ///< its section on the weight methods
extern const std::string_view kEqualizationJs;  ///< its section on cross-layer equalization
extern const std::string_view kGranularityJs;   ///< page of the granularity command
extern const std::string_view kTimelineJs;      ///< hardware lanes over time, with zoom
extern const std::string_view kEstimateJs;      ///< page of the vendor's performance estimate
extern const std::string_view kProfileJs;       ///< page of the profile command
extern const std::string_view kRooflineJs;      ///< log-log roofline
extern const std::string_view kPerformanceJs;   ///< sections on what the latency model predicts
extern const std::string_view kReportPerformanceJs;  ///< the same in report.html
extern const std::string_view kAnalysisJs;           ///< page of the analyze command
extern const std::string_view kOptimizeJs;           ///< page of the optimize command

}  // namespace hexquant::report
