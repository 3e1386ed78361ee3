#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/table.h"
#include "commands/commands.h"
#include "core/file_io.h"
#include "core/format.h"
#include "formats/onnx/onnx_io.h"
#include "pipeline/granularity_analysis.h"
#include "report/granularity_html.h"

namespace hexquant::cli {
namespace {

using weights::kScaleChoices;

constexpr std::size_t kLayerRows = 15;

struct GranularityArguments {
  std::string model;
  std::string soc = "SM8650";
  std::string output;
  int weight_bits = 8;
};

/// Which share of the packed codes the scales add.
double overhead(const weights::ScaleError& error, int bits) {
  const double code_bytes = static_cast<double>(error.elements) * bits / 8.0;
  return code_bytes == 0.0 ? 0.0 : static_cast<double>(error.scale_bytes) / code_bytes;
}

std::string total_table(const pipeline::GranularityAnalysis& analysis) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t c = 0; c < kScaleChoices.size(); ++c) {
    const weights::ScaleError& symmetric = analysis.total.errors[0][c];
    const weights::ScaleError& asymmetric = analysis.total.errors[1][c];
    const auto runs = std::count_if(analysis.runs.begin(), analysis.runs.end(),
                                    [&](const auto& choices) { return choices[c]; });
    rows.push_back({kScaleChoices[c].name, format("{:.4g}", symmetric.mse()),
                    number_text(symmetric.sqnr_db(), 2), format("{:.4g}", asymmetric.mse()),
                    number_text(asymmetric.sqnr_db(), 2),
                    percent_text(overhead(symmetric, analysis.weight_bits)),
                    format("{} of {}", runs, analysis.rows.size())});
  }
  return table_text({"scales per", "sym MSE", "sym dB", "asym MSE", "asym dB", "scale bytes",
                     "layers on " + analysis.soc},
                    rows);
}

/// Worst first, by the symmetric per-channel error that `quantize` uses.
std::string layers_table(const pipeline::GranularityAnalysis& analysis) {
  std::vector<const weights::GranularityRow*> order;
  for (const weights::GranularityRow& row : analysis.rows) order.push_back(&row);
  // Zero tensors have no ratio; they come last.
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    const double left = a->errors[0][1].sqnr_db();
    const double right = b->errors[0][1].sqnr_db();
    if (left != left || right != right) return left == left && right != right;
    return left < right;
  });
  std::vector<std::vector<std::string>> rows;
  for (const weights::GranularityRow* row : order) {
    if (rows.size() == kLayerRows) break;
    std::vector<std::string> cells = {row->layer, row->op, shape_text(row->shape)};
    for (std::size_t c = 0; c < kScaleChoices.size(); ++c) {
      cells.push_back(number_text(row->errors[0][c].sqnr_db(), 1));
    }
    cells.push_back(number_text(row->errors[1][1].sqnr_db(), 1));
    rows.push_back(std::move(cells));
  }
  std::string text = table_text({"layer (worst first)", "op", "weights", "tensor dB", "channel dB",
                                 "g128 dB", "g32 dB", "asym channel dB"},
                                rows);
  if (order.size() > rows.size()) {
    text += format("... {} more: see --json or -o\n", order.size() - rows.size());
  }
  return text;
}

int run_granularity(const GranularityArguments& arguments, const CommandContext& context) {
  const pipeline::GranularityAnalysis analysis = pipeline::analyze_granularity(
      formats::read_onnx(arguments.model), arguments.soc, arguments.weight_bits);
  Json json = {{"model", arguments.model}};
  json.update(pipeline::to_json(analysis));
  if (!arguments.output.empty()) {
    Json page = result_header("granularity");
    page.update(json);
    write_file(arguments.output, report::granularity_html(page));
  }
  if (context.common.json_path != "-") {
    const std::string text =
        format("{}: {} weights of {} elements at {} bits, min-max, nearest\n\n", arguments.model,
               analysis.rows.size(), analysis.total.errors[0][0].elements, analysis.weight_bits) +
        total_table(analysis) + "\n" + layers_table(analysis);
    std::fputs(text.c_str(), stdout);
  }
  write_json_result(context.common, "granularity", std::move(json));
  return kExitDone;
}

}  // namespace

void add_granularity_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "granularity", "Error of the weights by scales per tensor, channel or group");
  const auto arguments = std::make_shared<GranularityArguments>();
  command->add_option("MODEL", arguments->model, "Float ONNX model")->required();
  command->add_option("--weight-bits", arguments->weight_bits, "Width of the codes")
      ->check(CLI::IsMember({4, 8, 16}))
      ->capture_default_str();
  command->add_option("--soc", arguments->soc, "Chip whose rules are asked: part number or name")
      ->capture_default_str();
  command->add_option("-o,--output", arguments->output,
                      "Also write a self-contained page with plots (HTML)");
  add_common_options(*command, context.common);
  command->footer(
      "One scale must serve all weights that share it, so few scales waste codes on small "
      "weights:\n"
      "  tensor     one scale: smallest and fastest; fails when channels differ in size\n"
      "  channel    one for each output channel: the default, costs nothing on the HTP\n"
      "  group:128  one for 128 inputs of a channel: for 4-bit MatMul and fully connected layers\n"
      "  group:32   finest and slowest; when group:128 is not accurate enough\n"
      "Symmetric codes have zero point 0, as the HTP wants weights; asymmetric ones gain where a\n"
      "tensor is lopsided. Errors are of min-max nearest rounding: the weights alone, no data.\n"
      "The last column counts layers whose weights the chip takes in that form (groups may need\n"
      "16-bit activations). docs/methods/granularity.md has the formulas.\n\n"
      "Examples:\n"
      "  hexquant granularity net.onnx\n"
      "  hexquant granularity llm.onnx --weight-bits 4 -o granularity.html");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_granularity(*arguments, context); };
  });
}

}  // namespace hexquant::cli
