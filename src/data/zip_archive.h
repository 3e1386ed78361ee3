#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hexquant::data {

/// One file of a zip archive.
struct ZipEntry {
  std::string name;
  bool deflated = false;  ///< else stored as it is
  std::uint32_t crc = 0;
  std::size_t data_offset = 0;  ///< of the first (compressed) byte in the archive
  std::size_t compressed_bytes = 0;
  std::size_t size_bytes = 0;
};

/// Lists a zip archive (zip64 included). Every entry lies inside the archive, names are unique and
/// no entry claims more bytes than its compressed data can hold.
/// @throws Error(kInvalidData) on a damaged archive; Error(kUnsupported) on encryption and on
///         compression other than deflate
/// Source: PKWARE APPNOTE.TXT 6.3.9, sections 4.3 to 4.5.
[[nodiscard]] std::vector<ZipEntry> read_zip_directory(std::span<const std::byte> archive,
                                                       const std::string& origin);

/// Content of one entry, with its CRC checked. @throws Error(kInvalidData)
[[nodiscard]] std::vector<std::byte> extract(std::span<const std::byte> archive,
                                             const ZipEntry& entry, const std::string& origin);

/// @throws Error(kInvalidData) if a stored entry's bytes do not have its CRC
void check_stored_entry(std::span<const std::byte> archive, const ZipEntry& entry,
                        const std::string& origin);

/// An archive of stored files, in the given order, dated 1980-01-01 so that bytes are stable.
/// @throws Error(kUnsupported) above 2 GB
[[nodiscard]] std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& files);

}  // namespace hexquant::data
