#include "pipeline/raw_outputs.h"

#include <cctype>
#include <map>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::pipeline {

std::string raw_file_stem(const std::string& tensor) {
  std::string stem = tensor;
  for (char& c : stem) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
    if (!plain) c = '_';
  }
  // ".." and hidden files are no names for results.
  if (stem.empty() || stem.front() == '.') stem.insert(0, "_");
  return stem;
}

std::vector<std::string> raw_file_stems(const std::vector<std::string>& tensors) {
  std::map<std::string, std::string> owners;
  std::vector<std::string> stems;
  for (const std::string& tensor : tensors) {
    stems.push_back(raw_file_stem(tensor));
    const auto [owner, is_new] = owners.emplace(stems.back(), tensor);
    if (!is_new) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("tensors '{}' and '{}' would both be written to {}.raw", owner->second,
                         tensor, stems.back()));
    }
  }
  return stems;
}

std::string native_bytes(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()};
}

std::string float_bytes(const Tensor& tensor) {
  if (tensor.dtype() == DType::kFloat32) return native_bytes(tensor);
  std::vector<float> values;
  for (const double value : to_doubles(tensor)) values.push_back(static_cast<float>(value));
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

}  // namespace hexquant::pipeline
