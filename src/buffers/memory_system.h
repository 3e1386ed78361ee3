#pragma once

#include <cstddef>
#include <cstdint>

namespace hexquant {

/// The kernel calls that buffers need, so that tests can stand in for kernels this machine lacks.
/// Return values and errno are those of the calls of the same name.
class MemorySystem {
 public:
  virtual ~MemorySystem() = default;
  virtual int open(const char* path) = 0;  ///< O_RDWR | O_CLOEXEC
  virtual int close(int descriptor) = 0;
  virtual int ioctl(int descriptor, unsigned long request, void* argument) = 0;
  /// Shared, for reading and writing, from the start. MAP_FAILED = refused.
  virtual void* map(std::size_t bytes, int descriptor) = 0;
  virtual int unmap(void* address, std::size_t bytes) = 0;
  virtual int memfd_create(const char* name) = 0;  ///< MFD_CLOEXEC | MFD_ALLOW_SEALING
  virtual int truncate(int descriptor, std::int64_t bytes) = 0;
  virtual int seal_against_shrinking(int descriptor) = 0;
  virtual int duplicate(int descriptor) = 0;         ///< F_DUPFD_CLOEXEC
  virtual std::int64_t size_of(int descriptor) = 0;  ///< lseek to the end; -1 = refused
  [[nodiscard]] virtual std::size_t page_size() const = 0;

 protected:
  MemorySystem() = default;
  MemorySystem(const MemorySystem&) = default;
  MemorySystem& operator=(const MemorySystem&) = default;
};

/// This machine's kernel.
[[nodiscard]] MemorySystem& kernel_memory();

}  // namespace hexquant
