#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "perf/article_roofline.h"
#include "pipeline/analyze_model.h"

namespace hexquant::cli {

/// Options that analyze and advise share.
struct AnalyzeArguments {
  pipeline::AnalyzeRequest request;
  std::string weight_bits = "8";
  std::vector<std::string> input_shapes;
  std::vector<std::string> soc_figures;
  bool verbose = false;

  void add_to(CLI::App& command);
  /// @throws Error(kInvalidArgument) naming the option
  [[nodiscard]] pipeline::AnalyzeRequest resolve() const;
};

/// One layer of the article's listing each: [{"name": ..., "ops": ..., "data_bytes": ...}].
/// @throws Error(kIo), Error(kInvalidData) naming the file and the entry
[[nodiscard]] std::vector<perf::ArticleLayer> read_article_layers(const std::string& path);

}  // namespace hexquant::cli
