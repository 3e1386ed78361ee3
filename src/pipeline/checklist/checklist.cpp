#include "pipeline/checklist/checklist.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "core/format.h"
#include "core/shell_word.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "pipeline/checklist/check_scene.h"
#include "pipeline/recipe_json.h"
#include "pipeline/result_files.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;

std::string file_of(const std::string& folder, const std::string& name) {
  const fs::path path = fs::path(folder) / name;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("{}: no such file; OUT is a folder that 'hexquant quantize' or 'auto' wrote",
                       path.string()));
  }
  return path.string();
}

Json report_of(const std::string& report_file) {
  Json report = read_json(report_file);
  const auto schema = report.find("schema");
  if (schema == report.end() || *schema != "hexquant-report-1") {
    throw Error(ErrorCode::kInvalidData,
                format("{}: no report of this program (schema hexquant-report-1)", report_file));
  }
  return report;
}

std::vector<CheckItem> all_items(const CheckScene& scene, ProgressSink& progress) {
  std::vector<CheckItem> all;
  const auto add = [&](std::vector<CheckItem> items) {
    std::move(items.begin(), items.end(), std::back_inserter(all));
  };
  try {
    add(check_data(scene));
    add(check_settings(scene));
    add(check_accuracy(scene));
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidData,
                format("{}/report.json: {}", scene.request.folder, error.what()));
  }
  add(check_performance(scene));
  add(check_deployment(scene, progress));
  return all;
}

std::string on_path(const char* command, const std::string& path, const std::string& options) {
  return format("hexquant {} {}{}{}", command, shell_word(path), options.empty() ? "" : " ",
                options);
}

std::string xml_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      // XML 1.0 has no place for other control characters, escaped or not.
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

}  // namespace

const char* check_status_name(CheckStatus status) noexcept {
  switch (status) {
    case CheckStatus::kPass:
      return "pass";
    case CheckStatus::kFail:
      return "fail";
    case CheckStatus::kNotMeasured:
      break;
  }
  return "not measured";
}

std::int64_t CheckResult::count(CheckStatus status) const noexcept {
  return std::count_if(items.begin(), items.end(),
                       [&](const CheckItem& item) { return item.status == status; });
}

CheckItem passed(std::string figure, std::string threshold, std::string reason) {
  return {
      "", "", "", CheckStatus::kPass, std::move(figure), std::move(threshold), std::move(reason),
      ""};
}

CheckItem failed(std::string figure, std::string threshold, std::string reason, std::string fix) {
  return {"",
          "",
          "",
          CheckStatus::kFail,
          std::move(figure),
          std::move(threshold),
          std::move(reason),
          std::move(fix)};
}

CheckItem not_measured(std::string threshold, std::string reason, std::string fix) {
  return {"",
          "",
          "",
          CheckStatus::kNotMeasured,
          "",
          std::move(threshold),
          std::move(reason),
          std::move(fix)};
}

CheckItem as(CheckItem item, const char* id, const char* group, const char* title) {
  item.id = id;
  item.group = group;
  item.title = title;
  return item;
}

std::string from_recipe(const char* command, const CheckScene& scene, const std::string& options) {
  return format("hexquant {} --recipe {} {} -o OTHER", command,
                shell_word((fs::path(scene.request.folder) / "recipe.json").string()), options);
}

std::string on_folder(const char* command, const CheckScene& scene, const std::string& options) {
  return on_path(command, scene.request.folder, options);
}

std::string on_model(const char* command, const CheckScene& scene, const std::string& options) {
  return on_path(command, scene.model_file, options);
}

CheckResult check_output(const CheckRequest& request, ProgressSink& progress) {
  CheckResult result;
  result.folder = request.folder;
  if (!request.thresholds.empty()) result.thresholds = read_thresholds(request.thresholds);
  const std::string report_file = file_of(request.folder, "report.json");
  const Json report = report_of(report_file);
  Recipe recipe;
  recipe_from_json(report.at("recipe"), report_file, recipe);
  AnalyzeRequest analyze;
  analyze.model = file_of(request.folder, quantized_file(recipe));
  analyze.soc = request.soc.empty() ? recipe.soc : request.soc;
  const graph::Graph model = formats::read_onnx(analyze.model);
  const Analysis analysis = analyze_model(analyze);
  const CheckScene scene = {request, result.thresholds, report,      recipe,
                            model,   analyze.model,     analyze.soc, analysis};
  result.items = all_items(scene, progress);
  return result;
}

CheckResult check_at_hand(const Json& report, const Recipe& recipe, const graph::Graph& model,
                          const Analysis& analysis, ProgressSink& progress) {
  CheckRequest request;
  request.folder = recipe.output;
  request.run = false;
  request.read_samples = false;
  CheckResult result;
  result.folder = request.folder;
  const std::string model_file = (fs::path(recipe.output) / quantized_file(recipe)).string();
  result.items = all_items(
      {request, result.thresholds, report, recipe, model, model_file, recipe.soc, analysis},
      progress);
  return result;
}

Json to_json(const CheckResult& result) {
  Json items = Json::array();
  for (const CheckItem& item : result.items) {
    items.push_back({{"id", item.id},
                     {"group", item.group},
                     {"title", item.title},
                     {"status", check_status_name(item.status)},
                     {"figure", item.figure},
                     {"threshold", item.threshold},
                     {"reason", item.reason},
                     {"fix", item.fix}});
  }
  return {{"folder", result.folder},
          {"passed", result.count(CheckStatus::kPass)},
          {"failed", result.count(CheckStatus::kFail)},
          {"not_measured", result.count(CheckStatus::kNotMeasured)},
          {"thresholds", to_json(result.thresholds)},
          {"items", std::move(items)}};
}

std::string to_junit(const CheckResult& result) {
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  text +=
      format("<testsuite name=\"hexquant check {}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
             xml_escaped(result.folder), result.items.size(), result.count(CheckStatus::kFail),
             result.count(CheckStatus::kNotMeasured));
  for (const CheckItem& item : result.items) {
    text += format("  <testcase classname=\"{}\" name=\"{}\">", xml_escaped(item.group),
                   xml_escaped(item.title));
    const std::string said = xml_escaped(
        format("{}; demanded: {}; {}; {}", item.figure, item.threshold, item.reason, item.fix));
    if (item.status == CheckStatus::kFail) {
      text += format("<failure message=\"{}\"/>", said);
    } else if (item.status == CheckStatus::kNotMeasured) {
      text += format("<skipped message=\"{}\"/>", said);
    }
    text += "</testcase>\n";
  }
  return text + "</testsuite>\n";
}

}  // namespace hexquant::pipeline
