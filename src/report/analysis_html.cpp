#include "report/analysis_html.h"

#include <filesystem>

#include "core/format.h"
#include "report/assets.h"
#include "report/page.h"

namespace hexquant::report {

std::string analysis_html(const Json& result) {
  const std::string model =
      std::filesystem::path(result.at("model").get<std::string>()).filename().string();
  std::string script(kTimelineJs);
  script += kRooflineJs;
  script += kPerformanceJs;
  script += kAnalysisJs;
  return html_page({.title = format("{}: predicted performance", model),
                    .script = std::move(script),
                    .data = result,
                    .has_charts = true});
}

}  // namespace hexquant::report
