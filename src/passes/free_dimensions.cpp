#include "passes/free_dimensions.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "core/format.h"

namespace hexquant::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::ValueType;

/// The tensor repeated or cut so that it has this shape (same rank): element i = source i mod size.
Tensor repeat_to(const Tensor& source, const Shape& shape) {
  if (source.shape() == shape) return source;
  Tensor result(source.dtype(), shape);
  const int bits = dtype_bits(source.dtype());
  if (source.empty() || result.empty() || bits % 8 != 0) return result;
  const auto element_bytes = static_cast<std::size_t>(bits / 8);
  std::byte* out = result.mutable_raw();
  Shape index(shape.size(), 0);
  for (std::int64_t i = 0; i < result.size(); ++i) {
    std::int64_t from = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      from = from * source.shape()[axis] + index[axis] % source.shape()[axis];
    }
    std::memcpy(out, source.raw() + static_cast<std::size_t>(from) * element_bytes, element_bytes);
    out += element_bytes;
    for (std::size_t axis = shape.size(); axis-- > 0 && ++index[axis] == shape[axis];) {
      index[axis] = 0;
    }
  }
  return result;
}

}  // namespace

std::vector<std::string> name_free_dimensions(Graph& graph) {
  std::set<std::string> taken;
  for (const std::string& input : graph.inputs()) {
    const ValueType& type = *graph.find_type(input);
    if (!type.shape) continue;
    for (const Dim& dim : *type.shape) taken.insert(dim.symbol);
  }
  std::vector<std::string> made;
  for (const std::string& input : graph.inputs()) {
    ValueType type = *graph.find_type(input);
    if (!type.shape) continue;
    for (std::size_t axis = 0; axis < type.shape->size(); ++axis) {
      Dim& dim = (*type.shape)[axis];
      if (dim.is_fixed() || !dim.symbol.empty()) continue;
      dim.symbol = format("{}_dim_{}", input, axis);
      while (!taken.insert(dim.symbol).second) dim.symbol += "_";
      made.push_back(dim.symbol);
    }
    graph.set_input_type(input, type);
  }
  return made;
}

FreeDimensions::FreeDimensions(const Graph& graph) : graph_(graph) {
  for (const std::string& input : graph.inputs()) {
    const ValueType& type = *graph.find_type(input);
    if (!type.shape) continue;
    for (std::size_t axis = 0; axis < type.shape->size(); ++axis) {
      const Dim& dim = (*type.shape)[axis];
      if (!dim.is_fixed()) places_[dim.symbol].push_back({input, axis});
    }
  }
}

std::vector<std::string> FreeDimensions::symbols(bool batch) const {
  std::vector<std::string> list;
  for (const auto& [symbol, places] : places_) {
    const bool is_batch = std::any_of(places.begin(), places.end(),
                                      [](const Place& place) { return place.axis == 0; });
    if (is_batch == batch) list.push_back(symbol);
  }
  return list;
}

Sizes FreeDimensions::example_sizes(const runtime::Feeds& example, std::int64_t other) const {
  Sizes sizes;
  for (const std::string& symbol : symbols(true)) sizes[symbol] = 1;
  for (const std::string& symbol : symbols(false)) sizes[symbol] = other;
  for (const auto& [symbol, places] : places_) {
    for (const Place& place : places) {
      const auto found = example.find(place.input);
      if (found == example.end() || found->second.shape().size() <= place.axis) continue;
      sizes[symbol] = found->second.shape()[place.axis];
      break;
    }
  }
  return sizes;
}

bool FreeDimensions::needs_guess(const runtime::Feeds& example) const {
  const auto is_given = [&](const Place& place) { return example.contains(place.input); };
  const auto others = symbols(false);
  return std::any_of(others.begin(), others.end(), [&](const std::string& symbol) {
    const auto& places = places_.at(symbol);
    return std::none_of(places.begin(), places.end(), is_given);
  });
}

runtime::Feeds FreeDimensions::feeds(const runtime::Feeds& example, const Sizes& sizes) const {
  runtime::Feeds result;
  for (const std::string& input : graph_.inputs()) {
    const ValueType& type = *graph_.find_type(input);
    const std::vector<Dim> dims = type.shape.value_or(std::vector<Dim>{});
    const auto found = example.find(input);
    if (found == example.end()) {
      Shape shape;
      for (const Dim& dim : dims) {
        shape.push_back(dim.is_fixed() ? dim.value : sizes.at(dim.symbol));
      }
      result[input] = Tensor(type.dtype, shape);
      continue;
    }
    // Only free axes are changed: the session reports an example that does not fit the others.
    Shape shape = found->second.shape();
    for (std::size_t axis = 0; axis < dims.size() && dims.size() == shape.size(); ++axis) {
      if (!dims[axis].is_fixed()) shape[axis] = sizes.at(dims[axis].symbol);
    }
    result[input] = repeat_to(found->second, shape);
  }
  return result;
}

}  // namespace hexquant::passes
