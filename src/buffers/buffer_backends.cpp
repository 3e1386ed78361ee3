#include "buffers/buffer_backends.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace hexquant {
namespace {

Descriptor none(MemorySystem& system) {
  return {system, -1};
}

Descriptor from_dma_heap(std::size_t bytes, const SharedBufferOptions& options,
                         MemorySystem& system, std::string& reason) {
  const std::string path = "/dev/dma_heap/" + options.dma_heap;
  const Descriptor heap(system, system.open(path.c_str()));
  if (!heap.is_open()) {
    reason = system_error("open " + path);
    return none(system);
  }
  dma_heap_allocation_data request = {};
  request.len = bytes;
  request.fd_flags = O_RDWR | O_CLOEXEC;
  if (system.ioctl(heap.number(), DMA_HEAP_IOCTL_ALLOC, &request) < 0) {
    reason = system_error("allocate from " + path);
    return none(system);
  }
  return {system, static_cast<int>(request.fd)};
}

Descriptor from_ion(std::size_t bytes, const SharedBufferOptions& options, MemorySystem& system,
                    std::string& reason) {
  const Descriptor ion(system, system.open("/dev/ion"));
  if (!ion.is_open()) {
    reason = system_error("open /dev/ion");
    return none(system);
  }
  IonAllocation request = {};
  request.length = bytes;
  request.heap_id_mask = options.ion_heap_mask;
  request.flags = options.ion_cached ? kIonFlagCached : 0;
  if (system.ioctl(ion.number(), kIonAllocate, &request) < 0) {
    reason = system_error("allocate from /dev/ion");
    return none(system);
  }
  return {system, static_cast<int>(request.descriptor)};
}

Descriptor from_memfd(std::size_t bytes, MemorySystem& system, std::string& reason) {
  Descriptor memory(system, system.memfd_create("hexquant"));
  if (!memory.is_open()) {
    reason = system_error("memfd_create");
    return none(system);
  }
  if (system.truncate(memory.number(), static_cast<std::int64_t>(bytes)) < 0) {
    reason = system_error("size of a memfd");
    return none(system);
  }
  return memory;
}

Descriptor from_udmabuf(std::size_t bytes, MemorySystem& system, std::string& reason) {
  const Descriptor device(system, system.open("/dev/udmabuf"));
  if (!device.is_open()) {
    reason = system_error("open /dev/udmabuf");
    return none(system);
  }
  const Descriptor memory = from_memfd(bytes, system, reason);
  if (!memory.is_open()) return none(system);
  // The driver takes only memory that cannot get smaller under it.
  if (system.seal_against_shrinking(memory.number()) < 0) {
    reason = system_error("seal a memfd");
    return none(system);
  }
  udmabuf_create request = {};
  request.memfd = static_cast<__u32>(memory.number());
  request.flags = UDMABUF_FLAGS_CLOEXEC;
  request.size = bytes;
  const int buffer = system.ioctl(device.number(), UDMABUF_CREATE, &request);
  if (buffer < 0) reason = system_error("create a udmabuf");
  return {system, buffer};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (is_open()) (void)system_->close(number_);
    system_ = other.system_;
    number_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (is_open()) (void)system_->close(number_);
}

int Descriptor::release() noexcept {
  return std::exchange(number_, -1);
}

std::string system_error(const std::string& what) {
  return what + ": " + std::generic_category().message(errno);
}

Descriptor allocate_from(BufferBackend backend, std::size_t bytes,
                         const SharedBufferOptions& options, MemorySystem& system,
                         std::string& reason) {
  switch (backend) {
    case BufferBackend::kDmaHeap:
      return from_dma_heap(bytes, options, system, reason);
    case BufferBackend::kIon:
      return from_ion(bytes, options, system, reason);
    case BufferBackend::kUdmabuf:
      return from_udmabuf(bytes, system, reason);
    case BufferBackend::kMemfd:
      return from_memfd(bytes, system, reason);
  }
  return none(system);
}

}  // namespace hexquant
