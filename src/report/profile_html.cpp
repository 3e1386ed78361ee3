#include "report/profile_html.h"

#include <filesystem>

#include "core/format.h"
#include "report/assets.h"
#include "report/page.h"

namespace hexquant::report {

std::string profile_html(const Json& result) {
  const std::string file =
      std::filesystem::path(result.at("files").at(0).get<std::string>()).filename().string();
  return html_page(
      {.title = format("{}: profile", file), .script = std::string(kProfileJs), .data = result});
}

}  // namespace hexquant::report
