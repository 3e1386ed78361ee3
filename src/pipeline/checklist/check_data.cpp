#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "core/format.h"
#include "core/json_cursor.h"
#include "data/dataset.h"
#include "hexquant/error.h"
#include "pipeline/checklist/check_scene.h"
#include "pipeline/checklist/sample_statistics.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"

namespace hexquant::pipeline {
namespace {

constexpr const char* kGroup = "calibration data";
/// Read again at most, evenly chosen: all of a calibration, and enough of a test set.
constexpr std::int64_t kMostCalibrated = 10000;
constexpr std::int64_t kMostScored = 1000;

double share_of(std::int64_t part, std::size_t all) {
  return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
}

/// Samples of a source, or why they cannot be read any more.
struct Measured {
  std::optional<DataStatistics> statistics;
  std::string reason;
};

class DataChecks {
 public:
  explicit DataChecks(const CheckScene& scene)
      : scene_(scene),
        limits_(scene.thresholds),
        calibrated_(measure_calibration()),
        scored_(measure_scored()) {}

  std::vector<CheckItem> run() {
    return {as(samples(), "data.samples", kGroup, "Number of calibration samples"),
            as(near_duplicates(), "data.near-duplicates", kGroup, "Samples differ from each other"),
            as(classes(), "data.classes", kGroup, "Every class is covered"),
            as(out_of_range(), "data.out-of-range", kGroup,
               "Scored samples stay in the calibrated range"),
            as(edges(), "data.edges", kGroup, "Darkest, brightest and blank samples are covered"),
            as(tags(), "data.tags", kGroup, "Edge cases that the user tagged")};
  }

 private:
  [[nodiscard]] Measured measure(const data::DataOptions& options, std::int64_t most) const {
    if (!scene_.request.read_samples) return {std::nullopt, "the samples were not read again"};
    try {
      const auto data = data::open_dataset(options, model_inputs(scene_.model));
      Measured measured{measure_samples(*data, most), ""};
      if (measured.statistics->samples.empty()) return {std::nullopt, "no sample was found"};
      return measured;
    } catch (const Error& error) {
      return {std::nullopt, format("the data cannot be read: {}", error.what())};
    }
  }
  [[nodiscard]] Measured measure_calibration() const {
    return measure(resolve_data(scene_.recipe.data, scene_.recipe.seed), kMostCalibrated);
  }
  /// What the report was scored on.
  [[nodiscard]] Measured measure_scored() const {
    const EvaluationRecipe& evaluation = scene_.recipe.evaluation;
    if (!evaluation.enabled || evaluation.data.sources.empty()) {
      return {std::nullopt, "the model was not scored on data of its own"};
    }
    data::DataOptions options = resolve_data(evaluation.data, scene_.recipe.seed);
    if (options.preprocess.empty()) options.preprocess = scene_.recipe.data.preprocess;
    return measure(options, kMostScored);
  }

  [[nodiscard]] CheckItem samples() const {
    const auto count = scene_.report.at("samples").get<std::int64_t>();
    const std::string threshold =
        format(">= {}, better {} to 1000", limits_.min_samples, limits_.recommended_samples);
    const std::string fix =
        from_recipe("quantize", scene_, format("--samples {}", limits_.recommended_samples));
    if (count < limits_.min_samples) {
      return failed(format("{}", count), threshold, "ranges rest on too few samples", fix);
    }
    return passed(format("{}", count), threshold,
                  count < limits_.recommended_samples
                      ? format("fewer than the {} recommended", limits_.recommended_samples)
                      : "");
  }

  [[nodiscard]] CheckItem near_duplicates() const {
    const std::string threshold =
        format("<= {:.0f} % near-duplicates", 100.0 * limits_.max_near_duplicates);
    if (!calibrated_.statistics) {
      return not_measured(threshold, calibrated_.reason, fix_data());
    }
    const std::int64_t duplicates = count_near_duplicates(*calibrated_.statistics);
    const std::size_t all = calibrated_.statistics->samples.size();
    const std::string figure = format("{} of {} samples", duplicates, all);
    if (share_of(duplicates, all) <= limits_.max_near_duplicates) {
      return passed(figure, threshold);
    }
    return failed(figure, threshold, "samples repeat each other, so that fewer count",
                  from_recipe("quantize", scene_, "--sampling random"));
  }

  [[nodiscard]] std::vector<std::int64_t> calibration_labels() const {
    const data::DataOptions options = resolve_data(scene_.recipe.data, scene_.recipe.seed);
    if (scene_.request.labels.empty() && !data::has_labels(options)) return {};
    return data::read_labels(scene_.request.labels, options);
  }

  [[nodiscard]] CheckItem classes() const {
    const std::string threshold =
        format("smallest class >= {:.0f} % of an equal share", 100.0 * limits_.min_class_share);
    std::vector<std::int64_t> labels;
    std::string reason = scene_.request.read_samples ? "the calibration samples have no labels"
                                                     : "the samples were not read again";
    try {
      if (scene_.request.read_samples) labels = calibration_labels();
    } catch (const Error& error) {
      if (!scene_.request.labels.empty()) throw;
      reason = error.what();
    }
    if (labels.empty()) {
      return not_measured(threshold, reason, on_folder("check", scene_, "--labels LABELS"));
    }
    std::map<std::int64_t, std::int64_t> counts;
    const std::int64_t classes = *std::max_element(labels.begin(), labels.end()) + 1;
    for (const std::int64_t label : labels) ++counts[label];
    std::int64_t smallest = static_cast<std::int64_t>(labels.size());
    std::int64_t which = 0;
    for (std::int64_t label = 0; label < classes; ++label) {
      const std::int64_t count = counts.contains(label) ? counts.at(label) : 0;
      if (count >= smallest) continue;
      smallest = count;
      which = label;
    }
    const double equal = static_cast<double>(labels.size()) / static_cast<double>(classes);
    const std::string figure = format("{} classes, class {} has {} of {} samples", classes, which,
                                      smallest, labels.size());
    if (static_cast<double>(smallest) >= limits_.min_class_share * equal) {
      return passed(figure, threshold);
    }
    return failed(figure, threshold, "the ranges may not hold for that class",
                  from_recipe("quantize", scene_, "--sampling random --samples 1000"));
  }

  /// Of the scored samples' input values, those beyond every calibrated one.
  [[nodiscard]] CheckItem out_of_range() const {
    const std::string threshold =
        format("<= {:.2g} % of the scored samples", 100.0 * limits_.max_out_of_range);
    if (!calibrated_.statistics || !scored_.statistics) {
      return not_measured(threshold, calibrated_.statistics ? scored_.reason : calibrated_.reason,
                          fix_scored());
    }
    const double lowest = calibrated_.statistics->lowest();
    const double highest = calibrated_.statistics->highest();
    const double slack = 1e-3 * (highest - lowest);
    const auto outside =
        std::count_if(scored_.statistics->samples.begin(), scored_.statistics->samples.end(),
                      [&](const SampleStatistics& sample) {
                        return sample.min < lowest - slack || sample.max > highest + slack;
                      });
    const std::size_t all = scored_.statistics->samples.size();
    const std::string figure =
        format("{} of {} samples leave {:.4g} .. {:.4g}", outside, all, lowest, highest);
    if (share_of(outside, all) <= limits_.max_out_of_range) return passed(figure, threshold);
    return failed(figure, threshold, "their values are cut off at the model's input",
                  from_recipe("quantize", scene_, "--sampling random --samples 1000"));
  }

  [[nodiscard]] CheckItem edges() const {
    const std::string threshold = format(
        "<= {:.0f} % of the scored samples are darker, brighter or flatter than all "
        "calibrated ones",
        100.0 * limits_.max_outside_edges);
    if (!calibrated_.statistics || !scored_.statistics) {
      return not_measured(threshold, calibrated_.statistics ? scored_.reason : calibrated_.reason,
                          fix_scored());
    }
    const double darkest = calibrated_.statistics->lowest_mean();
    const double brightest = calibrated_.statistics->highest_mean();
    const double flattest = calibrated_.statistics->lowest_deviation();
    std::int64_t darker = 0;
    std::int64_t brighter = 0;
    std::int64_t flatter = 0;
    for (const SampleStatistics& sample : scored_.statistics->samples) {
      if (sample.mean < darkest) ++darker;
      if (sample.mean > brightest) ++brighter;
      if (sample.deviation < flattest) ++flatter;
    }
    const std::size_t all = scored_.statistics->samples.size();
    const std::string figure =
        format("{} darker, {} brighter, {} flatter of {} samples", darker, brighter, flatter, all);
    if (share_of(darker + brighter + flatter, all) <= limits_.max_outside_edges) {
      return passed(figure, threshold);
    }
    return failed(figure, threshold, "calibration has not seen such samples",
                  from_recipe("quantize", scene_, "--sampling random --samples 1000"));
  }

  /// {"night": [3, 17]}: the tags of the source's samples; each is to be in the calibrated part.
  [[nodiscard]] CheckItem tags() const {
    const std::string threshold = "every tag is among the calibrated samples";
    const std::string& file = scene_.request.tags;
    if (file.empty()) {
      return not_measured(threshold, "no samples are tagged",
                          on_folder("check", scene_, "--tags TAGS.json"));
    }
    const Json json = read_json(file);
    const DataRecipe& data = scene_.recipe.data;
    if (data.sampling != "first") {
      return not_measured(threshold,
                          format("samples were chosen '{}', not the first ones", data.sampling),
                          from_recipe("quantize", scene_, "--sampling first"));
    }
    const std::int64_t end = data.skip + scene_.report.at("samples").get<std::int64_t>();
    std::vector<std::string> missing;
    std::size_t all = 0;
    std::int64_t needed = end;  // samples up to the first one of every tag
    JsonCursor(json, file).each_member([&](const std::string& tag, const JsonCursor& samples) {
      samples.expect_array();
      ++all;
      std::int64_t first = INT32_MAX;
      for (std::size_t i = 0; i < samples.size(); ++i) {
        const std::int64_t index = samples.at(i).integer(0, INT32_MAX);
        if (index >= data.skip) first = std::min(first, index);
      }
      if (first >= end) missing.push_back(tag);
      if (first < INT32_MAX) needed = std::max(needed, first + 1);
    });
    const std::string figure = format("{} of {} tags", all - missing.size(), all);
    if (missing.empty()) return passed(figure, threshold);
    return failed(figure, threshold, format("not calibrated with: {}", join(missing, ", ")),
                  from_recipe("quantize", scene_, format("--samples {}", needed - data.skip)));
  }

  [[nodiscard]] std::string fix_data() const {
    if (!scene_.request.read_samples) return on_folder("check", scene_);
    return from_recipe("quantize", scene_, "--data DATA");
  }
  [[nodiscard]] std::string fix_scored() const {
    if (!scene_.request.read_samples) return fix_data();
    return from_recipe("quantize", scene_, "--evaluate --eval-data DATA --labels LABELS");
  }

  const CheckScene& scene_;
  const CheckThresholds& limits_;
  Measured calibrated_;
  Measured scored_;
};

}  // namespace

std::vector<CheckItem> check_data(const CheckScene& scene) {
  return DataChecks(scene).run();
}

}  // namespace hexquant::pipeline
