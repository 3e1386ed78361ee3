#include <span>

#include "core/journal.h"
#include "data/dataset.h"

namespace hexquant::data {

std::uint64_t sample_digest(const Sample& sample) {
  Digest digest;
  for (const auto& [name, tensor] : sample) digest.add(std::span(tensor.raw(), tensor.bytes()));
  return digest.value();
}

}  // namespace hexquant::data
