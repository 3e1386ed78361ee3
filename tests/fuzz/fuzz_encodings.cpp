#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/encodings/convert_encodings.h"
#include "formats/encodings/diff_encodings.h"
#include "formats/encodings/encoding_file.h"
#include "formats/encodings/encoding_table.h"
#include "fuzz_support.h"

namespace {

namespace formats = hexquant::formats;

/// A file may ask for any number of blocks of a shape of its own.
bool is_small(const formats::EncodingEntry& entry) {
  constexpr std::int64_t kMaxElements = 4096;
  std::int64_t elements = entry.block_size == 0 ? 1 : entry.block_size;
  for (const std::int64_t dim : entry.block_shape) {
    if (elements > kMaxElements) return false;
    elements *= dim;
  }
  return elements <= kMaxElements;
}

/// The shape of a tensor whose blocks are those of the entry.
hexquant::Shape shape_of(const formats::EncodingEntry& entry) {
  hexquant::Shape shape = entry.block_shape;
  const int rank = static_cast<int>(shape.size());
  if (rank != 0 && entry.axis) {
    shape[static_cast<std::size_t>((*entry.axis + rank) % rank)] *= entry.block_size;
  }
  return shape;
}

}  // namespace

/// Encodings are accepted or refused. What is accepted: writing and reading gives the same JSON,
/// every version can be written and read again, nothing differs from itself, and each entry is
/// quantization parameters or refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes), size_bytes);
  formats::EncodingFile file;
  if (!hexquant::fuzz::accepts([&] { file = formats::parse_encodings(text, "fuzz"); })) return 0;
  const std::string written = hexquant::to_text(formats::encodings_json(file));
  const bool same = hexquant::fuzz::accepts([&] {
    const formats::EncodingFile again = formats::parse_encodings(written, "again");
    if (hexquant::to_text(formats::encodings_json(again)) != written) __builtin_trap();
    if (!formats::diff_encodings(file, again, 0.0).empty()) __builtin_trap();
  });
  if (!same) __builtin_trap();
  for (const char* name : {"0.6.1", "1.0.0", "2.0.0"}) {
    hexquant::Findings findings;
    const formats::EncodingFile converted =
        formats::convert_encodings(file, *formats::find_version(name), nullptr, findings);
    const std::string other = hexquant::to_text(formats::encodings_json(converted));
    // Extremes may leave what another version's reader takes (a width of 32 with blocks).
    hexquant::fuzz::accepts([&] { (void)formats::parse_encodings(other, "converted"); });
  }
  for (const formats::EncodingEntry& entry : file.entries) {
    if (!is_small(entry)) continue;
    hexquant::fuzz::accepts([&] { (void)formats::to_encoding(entry, shape_of(entry)); });
  }
  return 0;
}
