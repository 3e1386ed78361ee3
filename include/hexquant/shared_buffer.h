#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hexquant {

/// Where memory comes from that a processor, an NPU and a camera can share by file descriptor.
enum class BufferBackend : std::uint8_t {
  kDmaHeap,  ///< /dev/dma_heap, Linux 5.6 on: what Android since 12 and today's boards have
  kIon,      ///< /dev/ion with file descriptors, Linux 4.12 to 5.10
  kUdmabuf,  ///< /dev/udmabuf: ordinary pages as a DMA buffer
  kMemfd     ///< memfd_create: shared between processes, not with a device
};

/// "dma-heap", "ion", "udmabuf", "memfd"
[[nodiscard]] const char* backend_name(BufferBackend backend) noexcept;

/// The kernel calls that buffers need; see buffers/memory_system.h.
class MemorySystem;

struct SharedBufferOptions {
  /// Tried in this order; the first that this kernel has is used.
  std::vector<BufferBackend> backends = {BufferBackend::kDmaHeap, BufferBackend::kIon,
                                         BufferBackend::kUdmabuf, BufferBackend::kMemfd};
  std::string dma_heap = "system";  ///< name below /dev/dma_heap
  /// Heap of /dev/ion; bit 25 is the system heap of Qualcomm's kernels.
  std::uint32_t ion_heap_mask = 1U << 25;
  bool ion_cached = true;
  /// The start lies on a multiple of this: a power of two, at most the size of a page.
  std::size_t alignment = 128;
};

enum class BufferAccess : std::uint8_t { kRead, kWrite, kReadWrite };

/// Memory behind a file descriptor, mapped into this process: what the article's ZeroCopyBuffer is,
/// for today's kernels, without its leaks (it forgot the result of ioctl and copied handles).
///
/// Move-only. The processor's reads and writes go between begin_access and end_access, which clean
/// and invalidate caches where the back end needs it (DMA_BUF_IOCTL_SYNC); these two may be called
/// from several threads at once. Everything else is for one thread at a time.
class SharedBuffer {
 public:
  /// @param bytes  at least 1; rounded up to whole pages, the rest is zero
  /// @throws Error(kInvalidArgument) for a size of 0 or an alignment that is no power of two or
  ///         above a page; Error(kMissingComponent) naming what each back end said
  static SharedBuffer allocate(std::size_t bytes, const SharedBufferOptions& options = {});
  static SharedBuffer allocate(std::size_t bytes, const SharedBufferOptions& options,
                               MemorySystem& system);

  /// Maps a buffer that somebody else made. The descriptor is duplicated: the caller's stays his.
  /// @throws Error(kInvalidData) when the descriptor's memory is smaller than `bytes`; Error(kIo)
  static SharedBuffer import(int descriptor, std::size_t bytes);
  static SharedBuffer import(int descriptor, std::size_t bytes, MemorySystem& system);

  SharedBuffer() = delete;
  SharedBuffer(SharedBuffer&& other) noexcept;
  SharedBuffer& operator=(SharedBuffer&& other) noexcept;
  SharedBuffer(const SharedBuffer&) = delete;
  SharedBuffer& operator=(const SharedBuffer&) = delete;
  ~SharedBuffer();

  /// The bytes that were asked for.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept;
  /// `count` bytes from `offset` on. @throws Error(kInvalidArgument) when they end behind the
  /// buffer
  [[nodiscard]] std::span<std::byte> bytes(std::size_t offset, std::size_t count) const;
  /// Bytes mapped: whole pages.
  [[nodiscard]] std::size_t capacity() const noexcept;
  [[nodiscard]] BufferBackend backend() const noexcept;
  /// True when a device may use the memory: every back end but memfd.
  [[nodiscard]] bool is_dma() const noexcept;

  /// For handing on; stays the buffer's.
  [[nodiscard]] int descriptor() const noexcept;
  /// The caller closes it. @throws Error(kIo)
  [[nodiscard]] int duplicate_descriptor() const;

  /// Before and after the processor touches the bytes. Calls nest, also from several threads: the
  /// kernel is told of the first begin and of the last end.
  /// @throws Error(kIo) with the kernel's reason; Error(kInternal) for an end without a begin
  void begin_access(BufferAccess access);
  void end_access(BufferAccess access);

 private:
  struct Impl;
  explicit SharedBuffer(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// begin_access for a scope.
class ScopedAccess {
 public:
  ScopedAccess(SharedBuffer& buffer, BufferAccess access) : buffer_(buffer), access_(access) {
    buffer_.begin_access(access_);
  }
  ScopedAccess(const ScopedAccess&) = delete;
  ScopedAccess& operator=(const ScopedAccess&) = delete;
  /// The kernel's refusal to end is lost here: call end_access where it matters.
  ~ScopedAccess();

 private:
  SharedBuffer& buffer_;
  BufferAccess access_;
};

}  // namespace hexquant
