#include "buffers/memory_system.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace hexquant {
namespace {

class Kernel final : public MemorySystem {
 public:
  int open(const char* path) override { return ::open(path, O_RDWR | O_CLOEXEC); }
  int close(int descriptor) override { return ::close(descriptor); }
  int ioctl(int descriptor, unsigned long request, void* argument) override {
    return ::ioctl(descriptor, request, argument);
  }
  void* map(std::size_t bytes, int descriptor) override {
    return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  }
  int unmap(void* address, std::size_t bytes) override { return ::munmap(address, bytes); }
  int memfd_create(const char* name) override {
    return ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  }
  int truncate(int descriptor, std::int64_t bytes) override {
    return ::ftruncate(descriptor, bytes);
  }
  int seal_against_shrinking(int descriptor) override {
    return ::fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK);
  }
  int duplicate(int descriptor) override { return ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }
  std::int64_t size_of(int descriptor) override { return ::lseek(descriptor, 0, SEEK_END); }
  [[nodiscard]] std::size_t page_size() const override {
    return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  }
};

}  // namespace

MemorySystem& kernel_memory() {
  static Kernel kernel;
  return kernel;
}

}  // namespace hexquant
