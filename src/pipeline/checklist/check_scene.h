#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/recipe.h"
#include "pipeline/analyze_model.h"
#include "pipeline/checklist/checklist.h"

namespace hexquant::pipeline {

/// What all parts of the checklist look at.
struct CheckScene {
  const CheckRequest& request;
  const CheckThresholds& thresholds;
  const Json& report;
  const Recipe& recipe;
  const graph::Graph& model;  ///< with Q/DQ
  std::string model_file;
  std::string soc;
  const Analysis& analysis;  ///< of the model on `soc`
};

[[nodiscard]] CheckItem passed(std::string figure, std::string threshold, std::string reason = "");
[[nodiscard]] CheckItem failed(std::string figure, std::string threshold, std::string reason,
                               std::string fix);
[[nodiscard]] CheckItem not_measured(std::string threshold, std::string reason, std::string fix);

/// Gives an item its place in the list.
[[nodiscard]] CheckItem as(CheckItem item, const char* id, const char* group, const char* title);

/// `command` from the folder's recipe, with further options: what a fix names.
[[nodiscard]] std::string from_recipe(const char* command, const CheckScene& scene,
                                      const std::string& options);
/// `command` on the folder, or on its model; the options come behind.
[[nodiscard]] std::string on_folder(const char* command, const CheckScene& scene,
                                    const std::string& options = "");
[[nodiscard]] std::string on_model(const char* command, const CheckScene& scene,
                                   const std::string& options = "");

// The parts, in the article's order.
[[nodiscard]] std::vector<CheckItem> check_data(const CheckScene& scene);
[[nodiscard]] std::vector<CheckItem> check_settings(const CheckScene& scene);
[[nodiscard]] std::vector<CheckItem> check_accuracy(const CheckScene& scene);
[[nodiscard]] std::vector<CheckItem> check_performance(const CheckScene& scene);
[[nodiscard]] std::vector<CheckItem> check_deployment(const CheckScene& scene,
                                                      ProgressSink& progress);

}  // namespace hexquant::pipeline
