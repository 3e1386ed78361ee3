#include "data/zip_archive.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t kLocalSignature = 0x04034B50;
constexpr std::uint32_t kCentralSignature = 0x02014B50;
constexpr std::uint32_t kEndSignature = 0x06054B50;
constexpr std::uint32_t kEnd64Signature = 0x06064B50;
constexpr std::uint32_t kLocator64Signature = 0x07064B50;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kCentralBytes = 46;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kLocator64Bytes = 20;
constexpr std::uint64_t kIn64 = 0xFFFFFFFF;     // the real number is in the zip64 field
constexpr std::size_t kMaxDeflateRatio = 1032;  // a deflate stream cannot hold more (zlib FAQ)
constexpr std::uint16_t kZip64Field = 0x0001;
constexpr std::uint16_t kFirstDosDay = 0x0021;  // 1980-01-01

[[noreturn]] void fail(const std::string& origin, const std::string& problem) {
  throw Error(ErrorCode::kInvalidData, origin + ": " + problem);
}

/// Little-endian numbers at checked places.
class Reader {
 public:
  Reader(Bytes bytes, const std::string& origin) : bytes_(bytes), origin_(origin) {}

  [[nodiscard]] std::uint64_t number(std::size_t offset, std::size_t width) const {
    const Bytes part = slice(offset, width);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      value |= std::to_integer<std::uint64_t>(part[i]) << (8 * i);
    }
    return value;
  }
  [[nodiscard]] std::uint16_t u16(std::size_t offset) const {
    return static_cast<std::uint16_t>(number(offset, 2));
  }
  [[nodiscard]] std::uint32_t u32(std::size_t offset) const {
    return static_cast<std::uint32_t>(number(offset, 4));
  }
  [[nodiscard]] std::uint64_t u64(std::size_t offset) const { return number(offset, 8); }
  /// Throws unless the range lies inside.
  Bytes slice(std::size_t offset, std::size_t size_bytes) const {
    if (offset > bytes_.size() || size_bytes > bytes_.size() - offset) {
      fail(origin_, "damaged or truncated zip archive");
    }
    return bytes_.subspan(offset, size_bytes);
  }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return bytes_.size(); }

 private:
  Bytes bytes_;
  const std::string& origin_;
};

struct Directory {
  std::uint64_t entries = 0;
  std::size_t offset = 0;
};

/// The end record stands at the end, before a comment of at most 65535 bytes.
std::size_t find_end_record(const Reader& reader, const std::string& origin) {
  const std::size_t size_bytes = reader.size_bytes();
  if (size_bytes >= kEndBytes) {
    const std::size_t last = size_bytes - kEndBytes;
    const std::size_t first = last > 0xFFFF ? last - 0xFFFF : 0;
    for (std::size_t offset = last + 1; offset-- > first;) {
      if (reader.u32(offset) == kEndSignature) return offset;
    }
  }
  fail(origin, "not a zip archive, or truncated (no end record)");
}

Directory find_directory(const Reader& reader, const std::string& origin) {
  const std::size_t end = find_end_record(reader, origin);
  Directory directory{reader.u16(end + 10), reader.u32(end + 16)};
  if (end >= kLocator64Bytes && reader.u32(end - kLocator64Bytes) == kLocator64Signature) {
    const std::size_t end64 = reader.u64(end - kLocator64Bytes + 8);
    if (reader.slice(end64, kEnd64Bytes).size() != kEnd64Bytes ||
        reader.u32(end64) != kEnd64Signature) {
      fail(origin, "damaged zip64 end record");
    }
    directory = {reader.u64(end64 + 32), reader.u64(end64 + 48)};
  }
  if (directory.entries > reader.size_bytes() / kCentralBytes) {
    fail(origin, format("damaged zip archive: {} entries do not fit", directory.entries));
  }
  return directory;
}

/// Replaces the numbers that did not fit 32 bits, in the order the format prescribes.
void apply_zip64(Bytes extra, const std::string& origin, ZipEntry& entry, std::uint64_t& local) {
  const Reader reader(extra, origin);
  std::size_t offset = 0;
  while (offset + 4 <= extra.size()) {
    const std::uint16_t id = reader.u16(offset);
    const std::size_t size_bytes = reader.u16(offset + 2);
    offset += 4;
    if (id != kZip64Field) {
      offset += size_bytes;
      continue;
    }
    const Reader field(reader.slice(offset, size_bytes), origin);
    std::size_t next = 0;
    const auto take = [&](auto& value) {
      if (value != kIn64) return;
      value = field.u64(next);
      next += 8;
    };
    take(entry.size_bytes);
    take(entry.compressed_bytes);
    take(local);
    return;
  }
}

void check_entry(const ZipEntry& entry, std::uint16_t flags, std::uint16_t method,
                 const std::string& where) {
  if ((flags & 1U) != 0) throw Error(ErrorCode::kUnsupported, where + ": encrypted");
  if (method != 0 && method != 8) {
    throw Error(ErrorCode::kUnsupported,
                format("{}: compression method {}: expected stored or deflate", where, method));
  }
  if (!entry.deflated && entry.size_bytes != entry.compressed_bytes) {
    fail(where, format("stored as {} bytes, but {} are announced", entry.compressed_bytes,
                       entry.size_bytes));
  }
  if (entry.deflated && entry.size_bytes / kMaxDeflateRatio > entry.compressed_bytes) {
    fail(where, format("{} compressed bytes cannot hold the announced {}", entry.compressed_bytes,
                       entry.size_bytes));
  }
}

/// Entry whose directory record starts at `offset`; `offset` moves behind it.
ZipEntry read_entry(const Reader& reader, std::size_t& offset, const std::string& origin) {
  if (reader.u32(offset) != kCentralSignature) fail(origin, "damaged zip directory");
  const std::size_t name_bytes = reader.u16(offset + 28);
  const std::size_t extra_bytes = reader.u16(offset + 30);
  const std::uint16_t method = reader.u16(offset + 10);
  ZipEntry entry;
  entry.deflated = method == 8;
  entry.crc = reader.u32(offset + 16);
  entry.compressed_bytes = reader.u32(offset + 20);
  entry.size_bytes = reader.u32(offset + 24);
  std::uint64_t local = reader.u32(offset + 42);
  const Bytes name = reader.slice(offset + kCentralBytes, name_bytes);
  entry.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
  const std::string where = format("{}[{}]", origin, entry.name);
  apply_zip64(reader.slice(offset + kCentralBytes + name_bytes, extra_bytes), where, entry, local);
  check_entry(entry, reader.u16(offset + 8), method, where);

  reader.slice(local, kLocalBytes);
  if (reader.u32(local) != kLocalSignature) fail(where, "damaged zip entry");
  entry.data_offset = local + kLocalBytes + reader.u16(local + 26) + reader.u16(local + 28);
  reader.slice(entry.data_offset, entry.compressed_bytes);
  offset += kCentralBytes + name_bytes + extra_bytes + reader.u16(offset + 32);
  return entry;
}

std::uint32_t crc_of(Bytes bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

void check_crc(Bytes content, const ZipEntry& entry, const std::string& origin) {
  if (crc_of(content) != entry.crc) {
    fail(format("{}[{}]", origin, entry.name), "damaged: its CRC does not match");
  }
}

/// A zlib stream that is freed on every way out.
class InflateStream {
 public:
  InflateStream() {
    HEXQUANT_CHECK(::inflateInit2(&stream_, -MAX_WBITS) == Z_OK, "zlib cannot start");
  }
  ~InflateStream() { ::inflateEnd(&stream_); }
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;

  /// True if `source` inflates to exactly the size of `target`. zlib counts in 32 bits, hence the
  /// pieces.
  bool run(Bytes source, std::span<std::byte> target) {
    int status = Z_OK;
    while (status == Z_OK) {
      const std::size_t in = std::min(source.size(), kPieceBytes);
      const std::size_t out = std::min(target.size(), kPieceBytes);
      std::byte spare{};  // a full target still needs room to see the end of the stream
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(source.data()));
      stream_.avail_in = static_cast<uInt>(in);
      stream_.next_out = reinterpret_cast<Bytef*>(out == 0 ? &spare : target.data());
      stream_.avail_out = static_cast<uInt>(out == 0 ? 1 : out);
      status = ::inflate(&stream_, Z_NO_FLUSH);
      source = source.subspan(in - stream_.avail_in);
      if (out == 0 && stream_.avail_out == 0) return false;
      if (out != 0) target = target.subspan(out - stream_.avail_out);
    }
    return status == Z_STREAM_END && target.empty();
  }

 private:
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 30;
  z_stream stream_{};
};

void append_number(std::string& out, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
}

/// The fields that a local header and a directory record share.
void append_common(std::string& out, const std::string& name, const std::string& content) {
  constexpr std::uint16_t kVersionNeeded = 20;
  append_number(out, kVersionNeeded, 2);
  append_number(out, 0, 4);  // no flags, stored
  append_number(out, 0, 2);
  append_number(out, kFirstDosDay, 2);
  append_number(out, crc_of({reinterpret_cast<const std::byte*>(content.data()), content.size()}),
                4);
  append_number(out, content.size(), 4);
  append_number(out, content.size(), 4);
  append_number(out, name.size(), 2);
  append_number(out, 0, 2);
}

}  // namespace

std::vector<ZipEntry> read_zip_directory(Bytes archive, const std::string& origin) {
  const Reader reader(archive, origin);
  const Directory directory = find_directory(reader, origin);
  std::vector<ZipEntry> entries;
  std::set<std::string> names;
  std::size_t offset = directory.offset;
  std::size_t unclaimed_bytes = archive.size();
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    entries.push_back(read_entry(reader, offset, origin));
    // Entries that share their data would let a small archive unpack to any size.
    if (entries.back().compressed_bytes > unclaimed_bytes) fail(origin, "zip entries overlap");
    unclaimed_bytes -= entries.back().compressed_bytes;
    if (!names.insert(entries.back().name).second) {
      fail(origin, "two entries are named '" + entries.back().name + "'");
    }
  }
  return entries;
}

std::vector<std::byte> extract(Bytes archive, const ZipEntry& entry, const std::string& origin) {
  const Bytes source = archive.subspan(entry.data_offset, entry.compressed_bytes);
  if (!entry.deflated) {
    check_crc(source, entry, origin);
    return {source.begin(), source.end()};
  }
  std::vector<std::byte> content(entry.size_bytes);
  if (!InflateStream().run(source, content)) {
    fail(format("{}[{}]", origin, entry.name),
         format("damaged: does not inflate to {} bytes", entry.size_bytes));
  }
  check_crc(content, entry, origin);
  return content;
}

void check_stored_entry(Bytes archive, const ZipEntry& entry, const std::string& origin) {
  check_crc(archive.subspan(entry.data_offset, entry.compressed_bytes), entry, origin);
}

std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string out;
  std::string directory;
  for (const auto& [name, content] : files) {
    const std::size_t local = out.size();
    if (local + content.size() + directory.size() > std::numeric_limits<std::int32_t>::max()) {
      throw Error(ErrorCode::kUnsupported,
                  "cannot write a zip archive above 2 GB: write one .npy file for each array");
    }
    append_number(out, kLocalSignature, 4);
    append_common(out, name, content);
    out += name;
    out += content;
    append_number(directory, kCentralSignature, 4);
    append_number(directory, 20, 2);
    append_common(directory, name, content);
    directory.append(10, '\0');  // comment, disk, internal and external attributes
    append_number(directory, local, 4);
    directory += name;
  }
  const std::size_t directory_offset = out.size();
  out += directory;
  append_number(out, kEndSignature, 4);
  append_number(out, 0, 4);
  append_number(out, files.size(), 2);
  append_number(out, files.size(), 2);
  append_number(out, directory.size(), 4);
  append_number(out, directory_offset, 4);
  append_number(out, 0, 2);
  return out;
}

}  // namespace hexquant::data
