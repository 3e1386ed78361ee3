#include "quant/quant_plan.h"

namespace hexquant::quant {

Encoding empty_encoding(const TensorPolicy& policy) {
  Encoding encoding;
  encoding.type = policy.type;
  encoding.symmetric = policy.symmetric;
  encoding.strict = policy.strict;
  encoding.granularity = policy.granularity;
  encoding.axis = policy.granularity == Granularity::kTensor ? 0 : policy.axis;
  encoding.block_size = policy.granularity == Granularity::kGroup ? policy.block_size : 0;
  return encoding;
}

}  // namespace hexquant::quant
