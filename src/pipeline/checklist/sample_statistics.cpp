#include "pipeline/checklist/sample_statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

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

double dot(const std::vector<double>& direction, const std::vector<float>& signature) {
  double sum = 0.0;
  for (std::size_t i = 0; i < direction.size(); ++i) {
    sum += direction[i] * static_cast<double>(signature[i]);
  }
  return sum;
}

/// False when every element is 0.
bool normalize(std::vector<double>& direction) {
  double squares = 0.0;
  for (const double value : direction) squares += value * value;
  for (double& value : direction) value /= std::sqrt(squares);
  return squares > 0.0;
}

/// A direction along which the signatures differ much: power iteration towards the first principal
/// component, over the elements that all signatures have. Empty when they do not differ.
std::vector<double> wide_direction(const std::vector<SampleStatistics>& samples) {
  constexpr int kRounds = 8;
  std::size_t common = samples.front().signature.size();
  for (const SampleStatistics& sample : samples) {
    common = std::min(common, sample.signature.size());
  }
  const auto n = static_cast<double>(samples.size());
  std::vector<double> mean(common, 0.0);
  std::vector<double> direction(common, 0.0);
  for (const SampleStatistics& sample : samples) {
    for (std::size_t i = 0; i < common; ++i)
      mean[i] += static_cast<double>(sample.signature[i]) / n;
  }
  for (const SampleStatistics& sample : samples) {
    for (std::size_t i = 0; i < common; ++i) {
      direction[i] += std::pow(static_cast<double>(sample.signature[i]) - mean[i], 2.0);
    }
  }
  if (!normalize(direction)) return {};
  for (int round = 0; round < kRounds; ++round) {
    const double centre = std::inner_product(mean.begin(), mean.end(), direction.begin(), 0.0);
    std::vector<double> next(common, 0.0);
    for (const SampleStatistics& sample : samples) {
      const double part = dot(direction, sample.signature) - centre;
      for (std::size_t i = 0; i < common; ++i) {
        next[i] += part * (static_cast<double>(sample.signature[i]) - mean[i]);
      }
    }
    if (!normalize(next)) break;
    direction = std::move(next);
  }
  return direction;
}

/// Looks only at pairs that can be near: no projection on a unit vector is longer than the
/// distance itself, so that samples in the order of their projections have all near ones around.
class DuplicateSearch {
 public:
  explicit DuplicateSearch(const std::vector<SampleStatistics>& samples)
      : samples_(samples), limit_(kNear * kNear * spread(samples)) {
    const std::vector<double> direction = wide_direction(samples);
    double largest = 0.0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      order_.push_back({dot(direction, samples[i].signature), i});
      largest = std::max(largest, std::abs(order_.back().first));
    }
    std::sort(order_.begin(), order_.end());
    constexpr double kRounding = 1e-9;  // of the projections, which are sums of some 100 products
    reach_ = std::sqrt(limit_) + kRounding * largest;
  }

  [[nodiscard]] std::int64_t count() const {
    std::int64_t duplicates = 0;
    for (std::size_t at = 0; at < order_.size(); ++at) {
      if (has_earlier_near(at)) ++duplicates;
    }
    return duplicates;
  }

 private:
  [[nodiscard]] bool has_earlier_near(std::size_t at) const {
    const auto [place, sample] = order_[at];
    for (std::size_t i = at; i-- > 0 && place - order_[i].first <= reach_;) {
      if (is_near(order_[i].second, sample)) return true;
    }
    for (std::size_t i = at + 1; i < order_.size() && order_[i].first - place <= reach_; ++i) {
      if (is_near(order_[i].second, sample)) return true;
    }
    return false;
  }
  [[nodiscard]] bool is_near(std::size_t other, std::size_t sample) const {
    return other < sample &&
           squared_distance(samples_[other].signature, samples_[sample].signature) <= limit_;
  }

  const std::vector<SampleStatistics>& samples_;
  double limit_;                                       ///< squared distance
  double reach_ = 0.0;                                 ///< along the direction
  std::vector<std::pair<double, std::size_t>> order_;  ///< projection, sample
};

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
  return DuplicateSearch(data.samples).count();
}

}  // namespace hexquant::pipeline
