#include "formats/onnx/staged_file.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

constexpr std::uint64_t kAlignmentBytes = 64;
constexpr std::array<char, kAlignmentBytes> kPadding{};

}  // namespace

StagedFile::StagedFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored)) fail(EISDIR);
  temporary_ += format(".tmp{}", ::getpid());
  errno = 0;
  file_.open(temporary_, std::ios::binary | std::ios::trunc);
  if (!file_) fail(errno);
}

StagedFile::~StagedFile() {
  if (committed_) return;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

std::uint64_t StagedFile::append(std::span<const std::byte> bytes) {
  const std::uint64_t padding_bytes =
      (kAlignmentBytes - size_bytes_ % kAlignmentBytes) % kAlignmentBytes;
  errno = 0;
  file_.write(kPadding.data(), static_cast<std::streamsize>(padding_bytes));
  file_.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  if (!file_) fail(errno);
  const std::uint64_t offset = size_bytes_ + padding_bytes;
  size_bytes_ = offset + bytes.size();
  return offset;
}

void StagedFile::close() {
  errno = 0;
  file_.close();
  if (!file_) fail(errno);
}

void StagedFile::commit() {
  if (file_.is_open()) close();
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  committed_ = true;
}

void StagedFile::fail(int error_number) const {
  throw Error(ErrorCode::kIo, format("cannot write '{}': {}", path_.string(),
                                     std::strerror(error_number == 0 ? EIO : error_number)));
}

}  // namespace hexquant::formats
