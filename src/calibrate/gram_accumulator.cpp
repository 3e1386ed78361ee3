#include "calibrate/gram_accumulator.h"

#include <algorithm>
#include <utility>

#include "calibrate/depthwise_gram.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "linalg/gram.h"

namespace hexquant::calibrate {
namespace {

using graph::Graph;
using graph::Node;

/// splitmix64 (Steele, Lea, Flood 2014): a good generator and mixer in one.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

/// FNV-1a, so that the positions of a layer do not change with the standard library.
std::uint64_t hash_name(const std::string& name) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

const Node& find_node(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes()) {
    if (node.name() == name) return node;
  }
  throw Error(ErrorCode::kInvalidArgument, format("the graph has no node '{}'", name));
}

std::size_t unsigned_size(std::int64_t value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

void draw_positions(std::int64_t count, std::int64_t wanted, std::uint64_t seed,
                    std::vector<std::int64_t>& positions) {
  positions.clear();
  const std::int64_t slices = std::min(count, wanted);
  for (std::int64_t i = 0; i < slices; ++i) {
    const std::int64_t begin = count / slices * i + std::min(i, count % slices);
    const std::int64_t size = count / slices + (i < count % slices ? 1 : 0);
    const std::uint64_t random = next_random(seed);
    positions.push_back(begin +
                        static_cast<std::int64_t>(random % static_cast<std::uint64_t>(size)));
  }
}

GramAccumulator::GramAccumulator(const Graph& graph, const GramRequest& request, std::uint64_t seed)
    : layer_(graph, find_node(graph, request.node)),
      columns_per_sample_(request.columns_per_sample),
      seed_(seed ^ hash_name(request.node)) {
  if (columns_per_sample_ < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                format("node '{}': {} columns a sample for its Gram matrix, expected 1 or more",
                       request.node, columns_per_sample_));
  }
  const std::int64_t groups = layer_.groups();
  if (groups < 1 || layer_.channels() % groups != 0) {
    throw Error(ErrorCode::kInvalidModel, format("node '{}': {} channels do not divide into {} "
                                                 "groups",
                                                 request.node, layer_.channels(), groups));
  }
  gram_.groups = groups;
  gram_.columns = layer_.channels() / groups * layer_.kernel();
  const auto lanes = static_cast<std::int64_t>(kGramLanes);
  const std::int64_t matrices = depthwise() ? (groups + lanes - 1) / lanes * lanes : groups;
  gram_.gram.resize(unsigned_size(matrices * gram_.columns * gram_.columns));
  gram_.sum.resize(unsigned_size(groups * gram_.columns));
}

void GramAccumulator::add(const runtime::TapView& view, std::int64_t sample, GramScratch& scratch) {
  std::uint64_t seed = seed_ + static_cast<std::uint64_t>(sample);
  draw_positions(layer_.position_count(view.shape), columns_per_sample_, next_random(seed),
                 scratch.positions);
  layer_.gather(view, scratch.positions, scratch.columns);
  const std::size_t width = unsigned_size(layer_.kernel() * layer_.channels());
  scratch.sum.assign(width, 0.0);
  for (std::size_t i = 0; i < scratch.columns.size(); i += width) {
    for (std::size_t j = 0; j < width; ++j) scratch.sum[j] += scratch.columns[i + j];
  }
  order_.in_order(sample, [&] {
    gram_.count += static_cast<std::int64_t>(scratch.positions.size());
    for (std::size_t j = 0; j < width; ++j) gram_.sum[j] += scratch.sum[j];
    if (depthwise()) {
      static const DepthwiseGram add_depthwise = best_depthwise_gram();
      add_depthwise(scratch.columns.data(), scratch.positions.size(),
                    static_cast<std::size_t>(gram_.columns), static_cast<std::size_t>(gram_.groups),
                    gram_.gram.data());
    } else {
      add_grouped(scratch.columns, scratch.group);
    }
  });
}

void GramAccumulator::add_grouped(const std::vector<float>& columns, std::vector<float>& group) {
  const auto positions =
      static_cast<std::int64_t>(columns.size()) / (layer_.kernel() * layer_.channels());
  if (gram_.groups == 1) {
    linalg::add_gram(columns.data(), positions, gram_.columns, gram_.gram.data());
    return;
  }
  const std::size_t size = unsigned_size(layer_.channels() / gram_.groups);
  for (std::int64_t g = 0; g < gram_.groups; ++g) {
    group.clear();
    for (std::size_t i = unsigned_size(g) * size; i < columns.size();
         i += unsigned_size(layer_.channels())) {
      group.insert(group.end(), columns.begin() + static_cast<std::ptrdiff_t>(i),
                   columns.begin() + static_cast<std::ptrdiff_t>(i + size));
    }
    linalg::add_gram(group.data(), positions, gram_.columns,
                     gram_.gram.data() + g * gram_.columns * gram_.columns);
  }
}

quant::LayerGram GramAccumulator::finish() {
  const std::int64_t groups = gram_.groups;
  const std::int64_t columns = gram_.columns;
  const std::int64_t kernel = layer_.kernel();
  const std::int64_t channels = layer_.channels() / groups;
  const auto lanes = static_cast<std::int64_t>(kGramLanes);
  quant::LayerGram out;
  out.groups = groups;
  out.columns = columns;
  out.count = gram_.count;
  out.gram.resize(unsigned_size(groups * columns * columns));
  out.sum.resize(gram_.sum.size());
  const auto gathered = [&](std::int64_t column) {  // (channel, tap) -> (tap, channel)
    return column % kernel * channels + column / kernel;
  };
  for (std::int64_t g = 0; g < groups; ++g) {
    float* const matrix = out.gram.data() + g * columns * columns;
    for (std::int64_t i = 0; i < columns; ++i) {
      const std::int64_t tap = i % kernel;
      const std::int64_t channel = g * channels + i / kernel;
      out.sum[unsigned_size(g * columns + i)] =
          gram_.sum[unsigned_size(tap * layer_.channels() + channel)];
      for (std::int64_t j = 0; j < columns; ++j) {
        // Only the upper triangle was summed.
        const auto [a, b] = std::minmax({gathered(i), gathered(j)});
        const std::int64_t in_matrix = a * columns + b;
        const std::int64_t from =
            depthwise() ? (g / lanes * columns * columns + in_matrix) * lanes + g % lanes
                        : g * columns * columns + in_matrix;
        matrix[i * columns + j] = gram_.gram[unsigned_size(from)];
      }
    }
  }
  gram_ = {};
  return out;
}

}  // namespace hexquant::calibrate
