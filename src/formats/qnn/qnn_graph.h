#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace hexquant::formats {

/// Number format of a QNN tensor, from the public enumeration Qnn_DataType_t.
enum class QnnNumberKind {
  kInteger,     ///< plain integers: indices, shapes
  kFixedPoint,  ///< quantized values
  kFloat,
  kBool,
  kUndefined  ///< a code this library does not know
};

struct QnnDataType {
  int code = 0;  ///< as in the file, e.g. 1032 = 0x0408
  QnnNumberKind kind = QnnNumberKind::kUndefined;
  bool is_signed = false;
  int bits = 0;
};

/// Meaning of a code of Qnn_DataType_t: the low byte holds the bits (written as decimal digits in
/// hexadecimal: 0x08, 0x16, 0x32, 0x64; 4 bits are 0x04), the next one the kind (0 signed integer,
/// 1 unsigned integer, 2 float, 3 signed and 4 unsigned fixed point, 5 bool).
/// Source: QnnTypes.h of the QNN API, public documentation.
[[nodiscard]] QnnDataType qnn_data_type(std::int64_t code);
/// "uint16", "int8" (fixed point); "float16"; "index32" ... for messages.
[[nodiscard]] std::string qnn_type_name(const QnnDataType& type);

/// How codes become real values: x = (q + offset) * scale.
enum class QnnEncoding { kNone, kTensor, kChannel, kBlock };

struct QnnTensor {
  std::string name;
  QnnDataType type;
  std::vector<std::int64_t> dims;
  bool is_static = false;  ///< constant: weights, biases
  QnnEncoding encoding = QnnEncoding::kNone;
  double scale = 0.0;       ///< kTensor only
  std::int64_t offset = 0;  ///< kTensor: -zero_point
};

struct QnnNode {
  std::string name;
  std::string type;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};

/// A QNN graph as the provider dumps it (json_qnn_graph_dir): what is handed to the vendor's
/// compiler, with the types it computes in.
struct QnnGraph {
  std::vector<QnnNode> nodes;
  std::map<std::string, QnnTensor> tensors;
};

/// @throws Error(kInvalidData) "ORIGIN: KEY PATH: ..."; a node's tensor that is not listed
[[nodiscard]] QnnGraph parse_qnn_graph(const std::string& text, const std::string& origin);
/// @throws Error(kIo) and as above
[[nodiscard]] QnnGraph read_qnn_graph(const std::filesystem::path& path);

}  // namespace hexquant::formats
