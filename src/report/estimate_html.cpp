#include "report/estimate_html.h"

#include <filesystem>

#include "core/format.h"
#include "report/assets.h"
#include "report/page.h"

namespace hexquant::report {

std::string estimate_html(const Json& result) {
  const std::string model =
      std::filesystem::path(result.at("model").get<std::string>()).filename().string();
  return html_page({.title = format("{}: performance estimate", model),
                    .script = std::string(kTimelineJs) + std::string(kEstimateJs),
                    .data = result,
                    .has_charts = result.at("timeline").is_object()});
}

}  // namespace hexquant::report
