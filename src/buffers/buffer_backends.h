#pragma once

#include <linux/types.h>
#include <sys/ioctl.h>

#include <cstddef>
#include <string>

#include "buffers/memory_system.h"
#include "hexquant/shared_buffer.h"

namespace hexquant {

/// An open file of a MemorySystem.
class Descriptor {
 public:
  Descriptor(MemorySystem& system, int number) noexcept : system_(&system), number_(number) {}
  Descriptor(Descriptor&& other) noexcept : system_(other.system_), number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();
  [[nodiscard]] int number() const noexcept { return number_; }
  [[nodiscard]] bool is_open() const noexcept { return number_ >= 0; }
  int release() noexcept;

 private:
  MemorySystem* system_;
  int number_;
};

/// Request and answer of /dev/ion from Linux 4.12 to 5.10, which no header brings any more.
/// Source: drivers/staging/android/uapi/ion.h of Linux 5.4.
struct IonAllocation {
  __u64 length;
  __u32 heap_id_mask;
  __u32 flags;
  __u32 descriptor;
  __u32 unused;
};
inline constexpr __u32 kIonFlagCached = 1;
inline constexpr unsigned long kIonAllocate = _IOWR('I', 0, IonAllocation);

/// Memory of one back end, not yet mapped.
/// @param bytes   whole pages
/// @param reason  filled when there is none: what was tried and errno's text
/// @return a closed descriptor when this kernel has no such memory
[[nodiscard]] Descriptor allocate_from(BufferBackend backend, std::size_t bytes,
                                       const SharedBufferOptions& options, MemorySystem& system,
                                       std::string& reason);

/// "open /dev/ion: No such file or directory", from errno.
[[nodiscard]] std::string system_error(const std::string& what);

}  // namespace hexquant
