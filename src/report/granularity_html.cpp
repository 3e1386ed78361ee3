#include "report/granularity_html.h"

#include <filesystem>

#include "core/format.h"
#include "report/assets.h"
#include "report/page.h"

namespace hexquant::report {

std::string granularity_html(const Json& result) {
  const std::string model =
      std::filesystem::path(result.at("model").get<std::string>()).filename().string();
  return html_page({.title = format("{}: scales per tensor, channel and group", model),
                    .script = std::string(kGranularityJs),
                    .data = result,
                    .has_charts = true});
}

}  // namespace hexquant::report
