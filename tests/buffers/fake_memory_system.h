#pragma once

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "buffers/buffer_backends.h"
#include "buffers/memory_system.h"

namespace hexquant::test {

/// A kernel with the devices that a test wants, which counts what is open and mapped.
class FakeMemorySystem final : public MemorySystem {
 public:
  static constexpr std::size_t kPage = 4096;

  std::set<std::string> devices;        ///< paths that can be opened
  std::map<std::string, int> refusals;  ///< call -> errno, each time
  int interruptions = 0;                ///< syncs that EINTR ends first
  std::vector<std::string> calls;       ///< in order, without close and unmap
  std::vector<std::uint64_t> sync_flags;
  std::set<int> open_descriptors;
  int mappings = 0;
  std::map<int, std::int64_t> sizes;
  std::set<int> dma;

  int open(const char* path) override {
    calls.push_back(std::string("open ") + path);
    if (refused("open")) return -1;
    if (!devices.contains(path)) return fail(ENOENT);
    return new_descriptor(0, false);
  }
  int close(int descriptor) override { return open_descriptors.erase(descriptor) == 1 ? 0 : -1; }
  int ioctl(int descriptor, unsigned long request, void* argument) override {
    if (!open_descriptors.contains(descriptor)) return fail(EBADF);
    if (request == DMA_HEAP_IOCTL_ALLOC) return dma_heap(argument);
    if (request == kIonAllocate) return ion(argument);
    if (request == UDMABUF_CREATE) return udmabuf(argument);
    if (request == DMA_BUF_IOCTL_SYNC) return sync(descriptor, argument);
    return fail(ENOTTY);
  }
  void* map(std::size_t bytes, int descriptor) override {
    calls.emplace_back("map");
    if (refused("map") || !open_descriptors.contains(descriptor)) return MAP_FAILED;
    ++mappings;
    return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  int unmap(void* address, std::size_t bytes) override {
    --mappings;
    return ::munmap(address, bytes);
  }
  int memfd_create(const char* /*name*/) override {
    calls.emplace_back("memfd_create");
    return refused("memfd_create") ? -1 : new_descriptor(0, false);
  }
  int truncate(int descriptor, std::int64_t bytes) override {
    if (refused("truncate")) return -1;
    sizes[descriptor] = bytes;
    return 0;
  }
  int seal_against_shrinking(int /*descriptor*/) override {
    calls.emplace_back("seal");
    return refused("seal") ? -1 : 0;
  }
  int duplicate(int descriptor) override {
    if (refused("duplicate") || !open_descriptors.contains(descriptor)) return -1;
    return new_descriptor(sizes[descriptor], dma.contains(descriptor));
  }
  std::int64_t size_of(int descriptor) override {
    return refused("size_of") ? -1 : sizes[descriptor];
  }
  [[nodiscard]] std::size_t page_size() const override { return kPage; }

  int new_descriptor(std::int64_t size, bool is_dma) {
    const int descriptor = next_++;
    open_descriptors.insert(descriptor);
    sizes[descriptor] = size;
    if (is_dma) dma.insert(descriptor);
    return descriptor;
  }
  std::uint32_t ion_flags = 0;
  std::uint32_t ion_heaps = 0;

 private:
  static int fail(int error) {
    errno = error;
    return -1;
  }
  bool refused(const std::string& call) {
    const auto found = refusals.find(call);
    if (found == refusals.end()) return false;
    errno = found->second;
    return true;
  }
  int dma_heap(void* argument) {
    calls.emplace_back("dma-heap");
    if (refused("dma-heap")) return -1;
    auto& request = *static_cast<dma_heap_allocation_data*>(argument);
    request.fd = static_cast<__u32>(new_descriptor(static_cast<std::int64_t>(request.len), true));
    return 0;
  }
  int ion(void* argument) {
    calls.emplace_back("ion");
    if (refused("ion")) return -1;
    auto& request = *static_cast<IonAllocation*>(argument);
    ion_flags = request.flags;
    ion_heaps = request.heap_id_mask;
    request.descriptor =
        static_cast<__u32>(new_descriptor(static_cast<std::int64_t>(request.length), true));
    return 0;
  }
  int udmabuf(void* argument) {
    calls.emplace_back("udmabuf");
    if (refused("udmabuf")) return -1;
    const auto& request = *static_cast<udmabuf_create*>(argument);
    return new_descriptor(static_cast<std::int64_t>(request.size), true);
  }
  int sync(int descriptor, void* argument) {
    if (!dma.contains(descriptor)) return fail(ENOTTY);
    if (refused("sync")) return -1;
    if (interruptions > 0) {
      --interruptions;
      return fail(EINTR);
    }
    sync_flags.push_back(static_cast<dma_buf_sync*>(argument)->flags);
    return 0;
  }

  int next_ = 100;
};

}  // namespace hexquant::test
