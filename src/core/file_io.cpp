#include "core/file_io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& what, const fs::path& path, int error_number) {
  throw Error(ErrorCode::kIo,
              format("cannot {} '{}': {}", what, path.string(), std::strerror(error_number)));
}

/// A file descriptor that is closed on every way out.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

void write_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("write", path, errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void write_temporary(const fs::path& temporary, const fs::path& target, std::string_view bytes) {
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) fail("write", target, errno);
  write_all(file.get(), bytes, target);
  if (::close(file.release()) != 0) fail("write", target, errno);
}

}  // namespace

std::string read_file(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) fail("read", path, EISDIR);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("read", path, errno == 0 ? ENOENT : errno);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (file.bad()) fail("read", path, errno == 0 ? EIO : errno);
  return std::move(bytes).str();
}

void write_file(const fs::path& path, std::string_view bytes) {
  fs::path temporary = path;
  temporary += format(".tmp{}", ::getpid());
  try {
    write_temporary(temporary, path, bytes);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) fail("write", path, errno);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

MappedFile::MappedFile(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail("read", path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail("read", path, errno);
  if (S_ISDIR(info.st_mode)) fail("read", path, EISDIR);
  size_bytes_ = static_cast<std::size_t>(info.st_size);
  if (size_bytes_ == 0) return;
  void* data = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) fail("map", path, errno);
  data_ = static_cast<std::byte*>(data);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_bytes_);
}

StagedDirectory::StagedDirectory(fs::path target) : target_(std::move(target)) {
  std::error_code error;
  if (fs::exists(target_, error) && !fs::is_directory(target_, error)) {
    throw Error(ErrorCode::kIo,
                format("cannot write '{}': it exists and is not a directory", target_.string()));
  }
  fs::path absolute = fs::absolute(target_).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  fs::create_directories(absolute.parent_path(), error);
  if (error) fail("create", absolute.parent_path(), error.value());
  std::string pattern =
      (absolute.parent_path() / ("." + absolute.filename().string() + ".XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr) fail("write in", absolute.parent_path(), errno);
  ::chmod(pattern.c_str(), 0755);
  staging_ = pattern;
  if (fs::is_directory(target_, error) && ::access(target_.c_str(), W_OK) != 0) {
    const int error_number = errno;
    fs::remove_all(staging_, error);
    fail("write in", target_, error_number);
  }
}

StagedDirectory::~StagedDirectory() {
  std::error_code ignored;
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
}

void StagedDirectory::commit() {
  std::error_code error;
  fs::create_directories(target_, error);
  if (error) fail("create", target_, error.value());
  for (const auto& entry : fs::directory_iterator(staging_)) {
    const fs::path destination = target_ / entry.path().filename();
    if (std::rename(entry.path().c_str(), destination.c_str()) != 0) {
      fail("write", destination, errno);
    }
  }
}

}  // namespace hexquant
