#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/json.h"
#include "hexquant/tensor.h"

namespace hexquant {

/// What a state file holds: a JSON object and tensors by name.
struct TensorFile {
  Json header = Json::object();
  std::map<std::string, Tensor> tensors;
};

/// The bytes of a tensor file: the magic "HQTENSOR", the number of bytes of the header (64 bits,
/// little-endian), the header as JSON {"kind", "version", "digest", "header", "tensors": [{"name",
/// "dtype", "shape"}, ...]}, then the elements of the tensors in that order. `digest` (see Digest)
/// covers the elements, so that a damaged file is found before it is used.
/// @param kind     what the file is, e.g. "qat-checkpoint"
/// @param version  of its content
[[nodiscard]] std::string tensor_file_bytes(const TensorFile& file, const std::string& kind,
                                            int version);

/// The inverse of tensor_file_bytes.
/// @throws Error(kInvalidData) naming `origin`: not such a file, another kind or version, cut short
///         or damaged
[[nodiscard]] TensorFile parse_tensor_file(std::string_view bytes, const std::string& origin,
                                           const std::string& kind, int version);

}  // namespace hexquant
