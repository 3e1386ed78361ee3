#include "report/optimize_html.h"

#include <filesystem>

#include "core/format.h"
#include "report/assets.h"
#include "report/page.h"

namespace hexquant::report {

std::string optimize_html(const Json& result) {
  const std::string model =
      std::filesystem::path(result.at("model").get<std::string>()).filename().string();
  return html_page({.title = format("{}: optimized", model),
                    .script = std::string(kOptimizeJs),
                    .data = result,
                    .has_charts = !result.at("rewrites").empty()});
}

}  // namespace hexquant::report
