#include "report/page.h"

#include <utility>
#include <vector>

namespace hexquant::report {
namespace {

/// Text for an element or a quoted attribute.
std::string escape_html(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

/// JSON text that can neither end its script element nor start another: in JSON the characters
/// below occur in strings only, where \u escapes mean the same.
std::string script_safe_json(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "\\u003c";
        break;
      case '>':
        safe += "\\u003e";
        break;
      case '&':
        safe += "\\u0026";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

/// Replaces each {{name}} of the template once; inserted text is not looked at again.
std::string fill_template(std::string_view text,
                          const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string result;
  std::size_t position = 0;
  while (position < text.size()) {
    const std::size_t open = text.find("{{", position);
    const std::size_t close = open == std::string_view::npos ? open : text.find("}}", open);
    if (close == std::string_view::npos) break;
    result += text.substr(position, open - position);
    const std::string_view name = text.substr(open + 2, close - open - 2);
    for (const auto& [key, value] : values) {
      if (key == name) result += value;
    }
    position = close + 2;
  }
  result += text.substr(position);
  return result;
}

}  // namespace

std::string html_page(const Page& page, std::string_view chart_library) {
  // Invalid UTF-8 in the title is replaced by the same rule as in the data.
  const std::string title =
      Json::parse(Json(page.title).dump(-1, ' ', false, Json::error_handler_t::replace))
          .get<std::string>();
  const std::string charts(page.has_charts ? kChartsJs : std::string_view());
  return fill_template(
      kPageHtml, {{"title", escape_html(title)},
                  {"style", std::string(kPageCss)},
                  {"data", script_safe_json(page.data)},
                  {"library", std::string(page.has_charts ? chart_library : std::string_view())},
                  {"script", std::string(kKitJs) + charts + page.script}});
}

std::optional<Json> page_data(std::string_view html) {
  // What the template has around {{data}}; the data themselves hold no '<'.
  constexpr std::string_view kOpen = "<script type=\"application/json\" id=\"data\">";
  const std::size_t open = html.find(kOpen);
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t begin = open + kOpen.size();
  const std::size_t end = html.find('<', begin);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view text = html.substr(begin, end - begin);
  Json data = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!data.is_object()) return std::nullopt;
  return data;
}

}  // namespace hexquant::report
