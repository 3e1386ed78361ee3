#include "formats/onnx/outline.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <onnx/onnx_pb.h>

#include <limits>

namespace hexquant::formats {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

/// One field of a message: all of it, and what a length-delimited one holds.
struct Field {
  int number = 0;
  std::string_view whole;
  std::optional<std::string_view> content;
};

/// Calls visit(field) for each field. @return false when the bytes are no message
template <typename Visit>
bool each_field(std::string_view message, Visit visit) {
  if (message.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
  CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(message.data()),
                          static_cast<int>(message.size()));
  const auto position = [&] { return static_cast<std::size_t>(stream.CurrentPosition()); };
  while (position() < message.size()) {
    const std::size_t start = position();
    const std::uint32_t tag = stream.ReadTag();
    if (tag == 0) return false;
    Field field{WireFormatLite::GetTagFieldNumber(tag), {}, std::nullopt};
    if (WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      std::uint32_t length = 0;
      if (!stream.ReadVarint32(&length)) return false;
      field.content = message.substr(std::min(position(), message.size()), length);
      if (field.content->size() != length || !stream.Skip(static_cast<int>(length))) return false;
    } else if (!WireFormatLite::SkipField(&stream, tag)) {
      return false;
    }
    field.whole = message.substr(start, position() - start);
    if (!visit(field)) return false;
  }
  return true;
}

void append_message(std::string& out, int number, const std::string& content) {
  // A stream straight into `out` would fill all of its spare room with zeros each time.
  std::string header;
  {
    google::protobuf::io::StringOutputStream sink(&header);
    google::protobuf::io::CodedOutputStream stream(&sink);
    stream.WriteTag(WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
    stream.WriteVarint32(static_cast<std::uint32_t>(content.size()));
  }
  out += header;
  out += content;
}

/// A tensor without its raw data.
std::optional<std::string> outline_of_tensor(std::string_view tensor) {
  std::string out;
  std::size_t length = 0;
  const bool ok = each_field(tensor, [&](const Field& field) {
    if (field.number == onnx::TensorProto::kRawDataFieldNumber && field.content) {
      length = field.content->size();
    } else {
      out += field.whole;
    }
    return true;
  });
  if (!ok) return std::nullopt;
  onnx::TensorProto reference;
  reference.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] :
       {std::pair<const char*, std::string>{"location", kOutlineLocation},
        {"length", std::to_string(length)}}) {
    auto* entry = reference.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return out + reference.SerializeAsString();
}

/// Copies a message; fields `number` are replaced by what `rewrite` makes of their content.
template <typename Rewrite>
std::optional<std::string> rewrite_field(std::string_view message, int number, Rewrite rewrite) {
  std::string out;
  const bool ok = each_field(message, [&](const Field& field) {
    if (field.number != number || !field.content) {
      out += field.whole;
      return true;
    }
    const std::optional<std::string> changed = rewrite(*field.content);
    if (changed) append_message(out, number, *changed);
    return changed.has_value();
  });
  if (!ok) return std::nullopt;
  return out;
}

}  // namespace

std::optional<std::string> outline_of(std::string_view model, std::size_t min_bytes) {
  const auto tensor = [&](std::string_view bytes) -> std::optional<std::string> {
    if (bytes.size() < min_bytes) return std::string(bytes);
    return outline_of_tensor(bytes);
  };
  return rewrite_field(model, onnx::ModelProto::kGraphFieldNumber, [&](std::string_view graph) {
    return rewrite_field(graph, onnx::GraphProto::kInitializerFieldNumber, tensor);
  });
}

}  // namespace hexquant::formats
