#include "commands/analyze_arguments.h"

#include <charconv>

#include "cli/recipe_options.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "core/json_cursor.h"
#include "hexquant/error.h"

namespace hexquant::cli {
namespace {

/// "clock_mhz=1400" -> key and value.
std::pair<std::string, double> parse_figure(const std::string& text) {
  const std::size_t equal = text.find('=');
  double value = 0.0;
  const char* first = equal == std::string::npos ? nullptr : text.data() + equal + 1;
  const char* last = text.data() + text.size();
  const bool is_number = first != nullptr && std::from_chars(first, last, value).ptr == last;
  if (!is_number) {
    throw Error(ErrorCode::kInvalidArgument,
                format("--soc-figure {}: KEY=NUMBER was expected", text));
  }
  return {text.substr(0, equal), value};
}

}  // namespace

void AnalyzeArguments::add_to(CLI::App& command) {
  command
      .add_option("MODEL", request.model,
                  "ONNX model: float (analysed as it would be quantized) or with Q/DQ pairs")
      ->required();
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->capture_default_str();
  };
  add("--soc", request.soc, "Chip: part number or name");
  add("--act-bits", request.plan.act_bits, "Width of activations (float models)")
      ->check(CLI::IsMember({8, 16}));
  add("--weight-bits", weight_bits, "Width of weights: 4, 4:all, 8 or 16 (float models)")
      ->check(CLI::IsMember({"4", "4:all", "8", "16"}));
  command
      .add_option("--keep-float", request.plan.keep_float,
                  "Layers that stay float: node names with '*', or op:TYPE")
      ->delimiter(',');
  command.add_option("--input-shape", input_shapes,
                     "NAME=1,3,224,224: fixes free dimensions; a free batch is 1 by itself");
  add("--vtcm-mb", request.predict.vtcm_mb, "VTCM to plan with; 0 = all that the chip has")
      ->check(CLI::NonNegativeNumber);
  command.add_flag("--dlbc", request.predict.dlbc,
                   "With the compiler's lossless compression of data in DDR");
  command.add_flag("--io-on-device", request.predict.io_on_device,
                   "Float inputs and outputs are converted on the NPU instead of the CPU");
  command.add_option("--soc-figure", soc_figures,
                     "KEY=NUMBER: your own figure of the chip: clock_mhz,\n"
                     "ddr_effective_gb_per_s, tops_int8, vtcm_max_mb, ...");
  command.add_flag("-v,--verbose", verbose, "Print informational findings too");
}

pipeline::AnalyzeRequest AnalyzeArguments::resolve() const {
  pipeline::AnalyzeRequest result = request;
  result.plan.weight_bits_everywhere = weight_bits == "4:all";
  result.plan.weight_bits = weight_bits[0] == '1' ? 16 : weight_bits[0] - '0';
  for (const std::string& text : input_shapes) {
    result.input_shapes.insert(parse_input_shape(text));
  }
  for (const std::string& text : soc_figures) result.soc_figures.insert(parse_figure(text));
  return result;
}

std::vector<perf::ArticleLayer> read_article_layers(const std::string& path) {
  const Json file = parse_json(read_file(path), path);
  std::vector<perf::ArticleLayer> layers;
  const JsonCursor list = JsonCursor(file, path).expect_array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonCursor entry = list.at(i);
    layers.push_back({.name = entry.at("name").text(),
                      .ops = entry.at("ops").number(),
                      .data_bytes = entry.at("data_bytes").number()});
  }
  return layers;
}

}  // namespace hexquant::cli
