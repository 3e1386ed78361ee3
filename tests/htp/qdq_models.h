#pragma once

#include <cstdint>
#include <string>

#include "graph/graph.h"

namespace hexquant::test {

/// A random small QDQ model and the chip it is compiled for.
struct QdqModel {
  graph::Graph graph;
  std::string htp_arch;  ///< "v68" .. "v81"
  int soc_model = 0;     ///< a chip of that version
};

/// Model number `index` of the stream `seed`: one to three operations, each with random activation
/// and weight types, granularity, axis, bias form, activation behind it, and Q/DQ pairs that are
/// now and then missing or of another type. Most choices are the usual ones, so that most models
/// compile. The same on every machine.
[[nodiscard]] QdqModel make_qdq_model(std::uint64_t seed, int index);

}  // namespace hexquant::test
