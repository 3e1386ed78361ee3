#include "pipeline/checklist/sample_statistics.h"

#include <algorithm>
#include <cmath>

namespace hexquant::pipeline {
namespace {

constexpr std::size_t kParts = 64;
constexpr double kNear = 0.02;

/// The input with most elements: masks and lengths beside an image say little.
const Tensor& main_input(const data::Sample& sample) {
  return std::max_element(
             sample.begin(), sample.end(),
             [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); })
      ->second;
}

/// Means of up to kParts runs of elements.
void append_signature(const std::vector<double>& values, std::vector<float>& signature) {
  std::vector<double> parts(std::min(kParts, values.size()), 0.0);
  std::vector<double> counts(parts.size(), 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t part = i * parts.size() / values.size();
    parts[part] += values[i];
    counts[part] += 1.0;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    signature.push_back(static_cast<float>(parts[i] / counts[i]));
  }
}

SampleStatistics measure(const data::Sample& sample) {
  SampleStatistics result;
  for (const auto& [name, tensor] : sample) {
    append_signature(to_doubles(tensor), result.signature);
  }
  const std::vector<double> values = to_doubles(main_input(sample));
  if (values.empty()) return result;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  result.min = *least;
  result.max = *most;
  double sum = 0.0;
  double squares = 0.0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  const auto n = static_cast<double>(values.size());
  result.mean = sum / n;
  result.deviation = std::sqrt(std::max(squares / n - result.mean * result.mean, 0.0));
  return result;
}

double squared_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return sum;
}

/// Mean squared distance of the signatures from their mean.
double spread(const std::vector<SampleStatistics>& samples) {
  std::vector<double> mean(samples.front().signature.size(), 0.0);
  for (const SampleStatistics& sample : samples) {
    for (std::size_t i = 0; i < std::min(mean.size(), sample.signature.size()); ++i) {
      mean[i] += static_cast<double>(sample.signature[i]) / static_cast<double>(samples.size());
    }
  }
  const std::vector<float> centre(mean.begin(), mean.end());
  double sum = 0.0;
  for (const SampleStatistics& sample : samples) {
    sum += squared_distance(sample.signature, centre);
  }
  return sum / static_cast<double>(samples.size());
}

template <typename Value>
double extreme(const std::vector<SampleStatistics>& samples, bool largest, Value value) {
  double found = value(samples.front());
  for (const SampleStatistics& sample : samples) {
    found = largest ? std::max(found, value(sample)) : std::min(found, value(sample));
  }
  return found;
}

}  // namespace

double DataStatistics::lowest_mean() const {
  return extreme(samples, false, [](const SampleStatistics& sample) { return sample.mean; });
}

double DataStatistics::highest_mean() const {
  return extreme(samples, true, [](const SampleStatistics& sample) { return sample.mean; });
}

double DataStatistics::lowest_deviation() const {
  return extreme(samples, false, [](const SampleStatistics& sample) { return sample.deviation; });
}

double DataStatistics::lowest() const {
  return extreme(samples, false, [](const SampleStatistics& sample) { return sample.min; });
}

double DataStatistics::highest() const {
  return extreme(samples, true, [](const SampleStatistics& sample) { return sample.max; });
}

DataStatistics measure_samples(const data::Dataset& data, std::int64_t most) {
  DataStatistics result;
  const std::int64_t count = std::min(data.size(), most);
  for (std::int64_t i = 0; i < count; ++i) {
    const data::Sample sample = data.load(i * data.size() / count);
    if (!sample.empty()) result.samples.push_back(measure(sample));
  }
  return result;
}

std::int64_t count_near_duplicates(const DataStatistics& data) {
  if (data.samples.size() < 2) return 0;
  const double limit = kNear * kNear * spread(data.samples);
  std::int64_t duplicates = 0;
  for (std::size_t i = 1; i < data.samples.size(); ++i) {
    const bool near = std::any_of(
        data.samples.begin(), data.samples.begin() + static_cast<std::ptrdiff_t>(i),
        [&](const SampleStatistics& earlier) {
          return squared_distance(earlier.signature, data.samples[i].signature) <= limit;
        });
    if (near) ++duplicates;
  }
  return duplicates;
}

}  // namespace hexquant::pipeline
