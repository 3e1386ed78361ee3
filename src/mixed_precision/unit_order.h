#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace hexquant::mixed_precision {

/// Something that can get more bits: the weights of a layer, or a value with the layers at both of
/// its ends.
struct RaisableUnit {
  std::string name;
  double gain = 0.0;  ///< damage that it does at its lower width, measured alone; >= 0
  /// Layers whose width it sets, by any numbers: what one of two units with a common layer costs
  /// depends on whether the other is raised.
  std::vector<std::size_t> layers = {};
};

/// Which units are raised, by their index.
using Assignment = std::vector<bool>;

/// Predicted cost of a model, in microseconds (or any other unit that is to be kept low).
using CostFunction = std::function<double(const Assignment& raised)>;

/// Units in the order in which they are worth raising: the largest gain for each unit of added
/// cost first, the cost being that of the model so far with the unit (so that a unit beside raised
/// ones, which takes a conversion away instead of adding one, comes early). Units that lower the
/// cost come before all others; units that neither gain nor save are left out. Costs are asked for
/// lazily: a unit's ratio is computed again when it is the best, and when one that shares a layer
/// with it was raised.
[[nodiscard]] std::vector<std::size_t> rank_units(const std::vector<RaisableUnit>& units,
                                                  const CostFunction& cost);

/// Indices of units, ascending.
using Units = std::vector<std::size_t>;

/// One step of taking raises back.
struct Takeback {
  Units units;        ///< what is taken back, as far as it was still raised
  Assignment raised;  ///< what is raised after it
  double cost = 0.0;  ///< of that
};

/// The way back from an assignment: at each step the raise whose cost saved for each gain lost is
/// the largest, be it a single unit or all units of a layer (one of them alone may save nothing,
/// since the layer stays wide for the others). Every step costs less than the one before; it ends
/// where nothing saves anything.
///
/// @param needed  steps that are not taken: their units, those that are not raised left out
[[nodiscard]] std::vector<Takeback> takeback_path(const std::vector<RaisableUnit>& units,
                                                  const CostFunction& cost,
                                                  const Assignment& raised,
                                                  const std::set<Units>& needed = {});

}  // namespace hexquant::mixed_precision
