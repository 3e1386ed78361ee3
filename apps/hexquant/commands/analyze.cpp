#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/recipe_options.h"
#include "commands/analyze_arguments.h"
#include "commands/analyze_text.h"
#include "commands/commands.h"
#include "core/file_io.h"
#include "formats/onnx/onnx_io.h"
#include "pipeline/advise_model.h"
#include "pipeline/analyze_json.h"
#include "report/analysis_html.h"

namespace hexquant::cli {
namespace {

struct Arguments {
  AnalyzeArguments shared;
  std::string model = "fitted";
  std::vector<std::string> what_if;
  std::size_t top = 20;
  std::string report;
};

void print_text(const CommandContext& context, const std::string& text) {
  if (context.common.json_path != "-") std::fputs(text.c_str(), stdout);
}

/// The article's formula, on a model or on a list of layers.
int run_article(const Arguments& arguments, const CommandContext& context) {
  const pipeline::AnalyzeRequest request = arguments.shared.resolve();
  perf::ArticleMachine machine;
  std::vector<perf::ArticleLayer> layers;
  if (std::filesystem::path(request.model).extension() == ".json") {
    layers = read_article_layers(request.model);
  } else {
    layers = perf::article_layers(pipeline::analyze_model(request).workload);
  }
  std::vector<perf::ArticleResult> results;
  Json rows = Json::array();
  double total_us = 0.0;
  for (const perf::ArticleLayer& layer : layers) {
    const perf::ArticleResult& result =
        results.emplace_back(perf::article_roofline(layer, machine));
    total_us += result.time_ms * 1e3;
    rows.push_back({{"name", result.name},
                    {"ops", result.ops},
                    {"bytes", result.data_bytes},
                    {"intensity", result.intensity},
                    {"ridge_point", result.ridge_point},
                    {"bound", result.compute_bound ? "compute" : "bandwidth"},
                    {"time_us", result.time_ms * 1e3},
                    {"utilization", result.utilization}});
  }
  print_text(context, perf::article_report(results));
  write_json_result(context.common, "analyze",
                    {{"model", request.model},
                     {"latency_model", "article"},
                     {"soc", "SM8650"},
                     {"total", {{"time_us", total_us}}},
                     {"layers", rows}});
  return kExitDone;
}

void write_page(const Arguments& arguments, const Json& result) {
  if (arguments.report.empty()) return;
  Json page = result_header("analyze");
  page.update(result);
  write_file(arguments.report, report::analysis_html(page));
}

std::vector<perf::Advice> advice_of(const pipeline::AnalyzeRequest& request,
                                    const pipeline::Analysis& analysis) {
  return pipeline::advise_model(analysis, request.predict,
                                pipeline::advised_model(request.model, !analysis.was_float));
}

int run_analyze(const Arguments& arguments, const CommandContext& context) {
  if (arguments.model == "article") return run_article(arguments, context);
  const pipeline::AnalyzeRequest request = arguments.shared.resolve();
  const pipeline::Analysis analysis = pipeline::analyze_model(request);
  const std::vector<perf::Advice> advice = advice_of(request, analysis);
  std::vector<pipeline::WhatIf> changes;
  const std::vector<std::string> asked = split_list(arguments.what_if);
  if (!asked.empty()) {
    changes =
        pipeline::what_if(formats::read_onnx_outline(request.model), request, analysis, asked);
  }
  print_findings(analysis.findings, arguments.shared.verbose);
  std::string text = analysis_text(request.model, analysis, arguments.top);
  if (!changes.empty()) text += "\n" + what_if_text(changes, analysis);
  if (!advice.empty()) text += "\n" + advice_text(advice);
  print_text(context, text);
  if (context.common.json_path.empty() && arguments.report.empty()) return kExitDone;
  Json result = {{"model", request.model}, {"latency_model", "fitted"}};
  result.update(pipeline::to_json(analysis));
  result["what_if"] = pipeline::to_json(changes, analysis);
  result["findings"] = pipeline::findings_json(analysis, advice);
  write_page(arguments, result);
  write_json_result(context.common, "analyze", std::move(result));
  return kExitDone;
}

}  // namespace

void add_analyze_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "analyze", "Predict time, DDR traffic and VTCM use on a chip, layer by layer");
  const auto arguments = std::make_shared<Arguments>();
  arguments->shared.add_to(*command);
  command
      ->add_option("--model", arguments->model,
                   "fitted: fitted to the vendor's estimates; article: operations / peak against\n"
                   "bytes / bandwidth, as in the article (MODEL may be its list of layers, .json)")
      ->check(CLI::IsMember({"fitted", "article"}))
      ->capture_default_str();
  command->add_option(
      "--what-if", arguments->what_if,
      "Also predict changes, each alone: act-bits=16, weight-bits=4, vtcm-mb=2, dlbc,\n"
      "soc=SM8750, resolution=192, layer:PATTERN=w4a16, borders=uint8, or all");
  command->add_option("--top", arguments->top, "Layers in the table; 0 = all in order")
      ->capture_default_str();
  command
      ->add_option("--report", arguments->report,
                   "Write a page: roofline, time-line, VTCM over time, layers, advice")
      ->type_name("FILE.html");
  add_common_options(*command, context.common);
  command->footer(
      "Everything here is an estimate, made in milliseconds and without a device. The last lines\n"
      "say what would make the model faster, with the command that does it.\n"
      "  bound      compute (matrix unit), vector, bandwidth (DDR), overhead (floor of each\n"
      "             operation), cpu\n"
      "  used       of the unit that bounds the layer\n"
      "  ops/B      operations for each byte of weights, inputs and outputs\n\n"
      "Examples:\n"
      "  hexquant analyze net.onnx --soc SM8650\n"
      "  hexquant analyze out/model.onnx --report analysis.html\n"
      "  hexquant analyze net.onnx --act-bits 16 --what-if all\n"
      "  hexquant analyze net.onnx --what-if 'layer:op:MatMul=a16,resolution=192'\n"
      "  hexquant analyze net.onnx --model article");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_analyze(*arguments, context); };
  });
}

void add_advise_command(CLI::App& program, CommandContext& context) {
  CLI::App* command =
      program.add_subcommand("advise", "What would make the model faster, largest saving first");
  const auto arguments = std::make_shared<Arguments>();
  arguments->shared.add_to(*command);
  add_common_options(*command, context.common);
  command->footer(
      "Each line is a change, what it is predicted to save, and the command that makes it. "
      "Savings\n"
      "do not add up: apply one and ask again. 'hexquant analyze' shows where the time goes.\n\n"
      "Example:\n"
      "  hexquant advise net.onnx --soc SM8650");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] {
      const pipeline::AnalyzeRequest request = arguments->shared.resolve();
      const pipeline::Analysis analysis = pipeline::analyze_model(request);
      const auto advice = advice_of(request, analysis);
      print_findings(analysis.findings, arguments->shared.verbose);
      const std::string text = advice_text(advice);
      print_text(context, text.empty() ? "nothing that the latency model knows of\n" : text);
      write_json_result(context.common, "advise",
                        {{"model", request.model},
                         {"soc", analysis.soc.name},
                         {"time_us", analysis.prediction.time_us.value},
                         {"findings", pipeline::findings_json(analysis, advice)}});
      return static_cast<int>(kExitDone);
    };
  });
}

}  // namespace hexquant::cli
