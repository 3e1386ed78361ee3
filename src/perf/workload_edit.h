#pragma once

#include "perf/workload.h"

// Changes of a workload, to ask the latency model what they would save. None of them looks at the
// numbers of the model: whether accuracy survives is another question.
namespace hexquant::perf {

/// Stores the weights of one operation in `bits`.
void set_weight_bits(Workload& work, std::size_t operation, int bits);

/// Stores every integer activation in `bits`; conversions between widths become free.
void set_activation_bits(Workload& work, int bits);

/// Computes one operation in integers of `bits` on the NPU, its values stored so; conversions
/// around it become free.
void make_integer(Workload& work, std::size_t operation, int bits);

/// The operation costs nothing any more.
void make_free(Workload& work, std::size_t operation);

/// Graph inputs and outputs are integers as the neighbours store them: no conversions at the
/// border.
void quantize_borders(Workload& work);

}  // namespace hexquant::perf
