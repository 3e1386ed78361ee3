#include "hexquant/shared_buffer.h"

#include <linux/dma-buf.h>
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cerrno>
#include <mutex>
#include <utility>

#include "buffers/buffer_backends.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

std::size_t whole_pages(std::size_t bytes, std::size_t page) {
  return (bytes + page - 1) / page * page;
}

void check_request(std::size_t bytes, const SharedBufferOptions& options, std::size_t page) {
  // A ftruncate of more than this would be negative.
  constexpr std::size_t kMost = std::size_t{1} << 62;
  if (bytes == 0 || bytes > kMost) {
    throw Error(ErrorCode::kInvalidArgument,
                format("shared buffer: {} bytes asked for, expected 1 to 2^62", bytes));
  }
  if (!std::has_single_bit(options.alignment) || options.alignment > page) {
    throw Error(ErrorCode::kInvalidArgument,
                format("shared buffer: alignment {}, expected a power of two up to {}, the size "
                       "of a page",
                       options.alignment, page));
  }
}

__u64 sync_flags(BufferAccess access) {
  switch (access) {
    case BufferAccess::kRead:
      return DMA_BUF_SYNC_READ;
    case BufferAccess::kWrite:
      return DMA_BUF_SYNC_WRITE;
    case BufferAccess::kReadWrite:
      break;
  }
  return DMA_BUF_SYNC_RW;
}

constexpr std::array<const char*, 4> kBackendNames = {"dma-heap", "ion", "udmabuf", "memfd"};

}  // namespace

const char* backend_name(BufferBackend backend) noexcept {
  return kBackendNames.at(static_cast<std::size_t>(backend));
}

struct SharedBuffer::Impl {
  Impl(MemorySystem& memory, Descriptor file, std::size_t wanted, BufferBackend from)
      : system(memory), descriptor(std::move(file)), bytes(wanted), backend(from) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (address != MAP_FAILED) (void)system.unmap(address, capacity);
  }

  /// @throws Error(kIo)
  void map() {
    capacity = whole_pages(bytes, system.page_size());
    address = system.map(capacity, descriptor.number());
    if (address == MAP_FAILED) {
      throw Error(ErrorCode::kIo, system_error(format("map {} bytes of a {} buffer", capacity,
                                                      backend_name(backend))));
    }
  }

  /// @throws Error(kIo)
  void sync(__u64 flags) {
    dma_buf_sync request = {flags};
    int status = 0;
    do {
      status = system.ioctl(descriptor.number(), DMA_BUF_IOCTL_SYNC, &request);
    } while (status < 0 && (errno == EINTR || errno == EAGAIN));
    if (status < 0) {
      throw Error(ErrorCode::kIo,
                  system_error(format("cache sync of a {} buffer", backend_name(backend))));
    }
  }

  MemorySystem& system;
  Descriptor descriptor;
  std::size_t bytes;
  BufferBackend backend;
  std::size_t capacity = 0;
  void* address = MAP_FAILED;
  std::mutex mutex;
  std::array<int, 3> open_accesses = {};  // by BufferAccess
};

SharedBuffer::SharedBuffer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
SharedBuffer::SharedBuffer(SharedBuffer&& other) noexcept = default;
SharedBuffer& SharedBuffer::operator=(SharedBuffer&& other) noexcept = default;
SharedBuffer::~SharedBuffer() = default;

SharedBuffer SharedBuffer::allocate(std::size_t bytes, const SharedBufferOptions& options) {
  return allocate(bytes, options, kernel_memory());
}

SharedBuffer SharedBuffer::allocate(std::size_t bytes, const SharedBufferOptions& options,
                                    MemorySystem& system) {
  const std::size_t page = system.page_size();
  check_request(bytes, options, page);
  std::vector<std::string> reasons;
  for (const BufferBackend backend : options.backends) {
    std::string reason;
    Descriptor memory = allocate_from(backend, whole_pages(bytes, page), options, system, reason);
    if (memory.is_open()) {
      try {
        auto impl = std::make_unique<Impl>(system, std::move(memory), bytes, backend);
        impl->map();
        return SharedBuffer(std::move(impl));
      } catch (const Error& error) {
        reason = error.what();
      }
    }
    reasons.push_back(format("{}: {}", backend_name(backend), reason));
  }
  throw Error(
      ErrorCode::kMissingComponent,
      format("no shared memory of {} bytes: {}", bytes,
             reasons.empty() ? "no back end was named" : format("{}", join(reasons, "; "))));
}

SharedBuffer SharedBuffer::import(int descriptor, std::size_t bytes) {
  return import(descriptor, bytes, kernel_memory());
}

SharedBuffer SharedBuffer::import(int descriptor, std::size_t bytes, MemorySystem& system) {
  check_request(bytes, {}, system.page_size());
  Descriptor own(system, system.duplicate(descriptor));
  if (!own.is_open()) {
    throw Error(ErrorCode::kIo, system_error(format("import descriptor {}", descriptor)));
  }
  const std::int64_t size = system.size_of(own.number());
  if (size < 0) {
    throw Error(ErrorCode::kIo, system_error(format("size of descriptor {}", descriptor)));
  }
  if (static_cast<std::size_t>(size) < bytes) {
    throw Error(
        ErrorCode::kInvalidData,
        format("import descriptor {}: it holds {} bytes, {} expected", descriptor, size, bytes));
  }
  // Only a DMA buffer knows this call; a sync of nothing tells the two kinds apart.
  dma_buf_sync probe = {DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ};
  const bool is_dma = system.ioctl(own.number(), DMA_BUF_IOCTL_SYNC, &probe) == 0;
  if (is_dma) {
    probe.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ;
    (void)system.ioctl(own.number(), DMA_BUF_IOCTL_SYNC, &probe);
  }
  auto impl = std::make_unique<Impl>(system, std::move(own), bytes,
                                     is_dma ? BufferBackend::kDmaHeap : BufferBackend::kMemfd);
  impl->map();
  return SharedBuffer(std::move(impl));
}

std::span<std::byte> SharedBuffer::bytes() const noexcept {
  return {static_cast<std::byte*>(impl_->address), impl_->bytes};
}

std::span<std::byte> SharedBuffer::bytes(std::size_t offset, std::size_t count) const {
  if (offset > impl_->bytes || count > impl_->bytes - offset) {
    throw Error(ErrorCode::kInvalidArgument,
                format("shared buffer: bytes {} to {} asked for, it has {}", offset, offset + count,
                       impl_->bytes));
  }
  return bytes().subspan(offset, count);
}

std::size_t SharedBuffer::capacity() const noexcept {
  return impl_->capacity;
}

BufferBackend SharedBuffer::backend() const noexcept {
  return impl_->backend;
}

bool SharedBuffer::is_dma() const noexcept {
  return impl_->backend != BufferBackend::kMemfd;
}

int SharedBuffer::descriptor() const noexcept {
  return impl_->descriptor.number();
}

int SharedBuffer::duplicate_descriptor() const {
  const int copy = impl_->system.duplicate(descriptor());
  if (copy < 0) throw Error(ErrorCode::kIo, system_error("duplicate a buffer's descriptor"));
  return copy;
}

void SharedBuffer::begin_access(BufferAccess access) {
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  int& open = impl_->open_accesses.at(static_cast<std::size_t>(access));
  if (open == 0 && is_dma()) impl_->sync(DMA_BUF_SYNC_START | sync_flags(access));
  ++open;
}

void SharedBuffer::end_access(BufferAccess access) {
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  int& open = impl_->open_accesses.at(static_cast<std::size_t>(access));
  if (open == 0) {
    throw Error(ErrorCode::kInternal, "shared buffer: end of an access that never began");
  }
  if (open == 1 && is_dma()) impl_->sync(DMA_BUF_SYNC_END | sync_flags(access));
  --open;
}

ScopedAccess::~ScopedAccess() {
  try {
    buffer_.end_access(access_);
  } catch (const Error&) {  // a destructor has nobody to tell
  }
}

}  // namespace hexquant
