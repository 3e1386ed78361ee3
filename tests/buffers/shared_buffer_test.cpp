#include "hexquant/shared_buffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <type_traits>

#include "buffers/fake_memory_system.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

using test::FakeMemorySystem;
using testing::ElementsAre;
using testing::HasSubstr;

SharedBufferOptions only(BufferBackend backend) {
  SharedBufferOptions options;
  options.backends = {backend};
  return options;
}

template <typename Call>
std::string error_of(ErrorCode code, Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

void expect_nothing_left(const FakeMemorySystem& system) {
  EXPECT_TRUE(system.open_descriptors.empty());
  EXPECT_EQ(system.mappings, 0);
}

static_assert(!std::is_copy_constructible_v<SharedBuffer>);
static_assert(!std::is_copy_assignable_v<SharedBuffer>);
static_assert(std::is_nothrow_move_constructible_v<SharedBuffer>);

// ---- this machine's kernel

TEST(SharedBuffer, IsSharedThroughItsDescriptor) {
  const SharedBuffer buffer = SharedBuffer::allocate(5000, only(BufferBackend::kMemfd));
  const SharedBuffer other = SharedBuffer::import(buffer.descriptor(), 5000);
  ASSERT_NE(buffer.bytes().data(), other.bytes().data());
  EXPECT_EQ(buffer.bytes().size(), 5000U);
  EXPECT_EQ(buffer.capacity() % static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), 0U);
  EXPECT_EQ(other.bytes()[4999], std::byte{0});
  buffer.bytes()[4999] = std::byte{42};
  EXPECT_EQ(other.bytes()[4999], std::byte{42});
  EXPECT_FALSE(buffer.is_dma());
  EXPECT_STREQ(backend_name(other.backend()), "memfd");
}

TEST(SharedBuffer, OutlivesWhoMadeIt) {
  const int copy = SharedBuffer::allocate(16, only(BufferBackend::kMemfd)).duplicate_descriptor();
  {
    const SharedBuffer imported = SharedBuffer::import(copy, 16);
    EXPECT_EQ(imported.bytes().size(), 16U);
  }
  EXPECT_EQ(::close(copy), 0);  // import took a duplicate
}

TEST(SharedBuffer, WorksOnAnyKernelByDefault) {
  SharedBuffer buffer = SharedBuffer::allocate(1 << 20);
  const ScopedAccess access(buffer, BufferAccess::kWrite);
  buffer.bytes().back() = std::byte{1};
}

TEST(SharedBuffer, ImportRefusesWhatIsTooSmall) {
  const SharedBuffer buffer = SharedBuffer::allocate(4096, only(BufferBackend::kMemfd));
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { (void)SharedBuffer::import(buffer.descriptor(), 4097); }),
              HasSubstr("holds 4096 bytes, 4097 expected"));
  EXPECT_THAT(error_of(ErrorCode::kIo, [] { (void)SharedBuffer::import(-1, 1); }),
              HasSubstr("descriptor -1"));
}

TEST(SharedBuffer, ViewsStayInside) {
  const SharedBuffer buffer = SharedBuffer::allocate(100, only(BufferBackend::kMemfd));
  EXPECT_EQ(buffer.bytes(60, 40).data(), buffer.bytes().data() + 60);
  EXPECT_THAT(error_of(ErrorCode::kInvalidArgument, [&] { (void)buffer.bytes(61, 40); }),
              HasSubstr("bytes 61 to 101 asked for, it has 100"));
  EXPECT_THROW((void)buffer.bytes(1, static_cast<std::size_t>(-1)), Error);
}

TEST(SharedBuffer, RefusesSizesAndAlignmentsThatCannotBe) {
  EXPECT_THROW((void)SharedBuffer::allocate(0), Error);
  EXPECT_THROW((void)SharedBuffer::allocate(static_cast<std::size_t>(-1)), Error);
  SharedBufferOptions options;
  options.alignment = 96;
  EXPECT_THAT(
      error_of(ErrorCode::kInvalidArgument, [&] { (void)SharedBuffer::allocate(8, options); }),
      HasSubstr("alignment 96"));
  options.alignment = 1 << 30;
  EXPECT_THROW((void)SharedBuffer::allocate(8, options), Error);
  options.alignment = 4096;
  const SharedBuffer buffer = SharedBuffer::allocate(8, options);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.bytes().data()) % 4096, 0U);
}

// ---- kernels that this machine is not

TEST(SharedBufferBackends, TakesTheFirstThatTheKernelHas) {
  FakeMemorySystem system;
  system.devices = {"/dev/dma_heap/system", "/dev/ion", "/dev/udmabuf"};
  EXPECT_EQ(SharedBuffer::allocate(10, {}, system).backend(), BufferBackend::kDmaHeap);
  system.devices.erase("/dev/dma_heap/system");
  EXPECT_EQ(SharedBuffer::allocate(10, {}, system).backend(), BufferBackend::kIon);
  EXPECT_EQ(system.ion_flags, kIonFlagCached);
  EXPECT_EQ(system.ion_heaps, 1U << 25);
  system.devices.erase("/dev/ion");
  EXPECT_EQ(SharedBuffer::allocate(10, {}, system).backend(), BufferBackend::kUdmabuf);
  EXPECT_THAT(system.calls, testing::Contains("seal"));
  system.devices.clear();
  EXPECT_EQ(SharedBuffer::allocate(10, {}, system).backend(), BufferBackend::kMemfd);
  expect_nothing_left(system);
}

TEST(SharedBufferBackends, OpensTheHeapThatWasNamed) {
  FakeMemorySystem system;
  system.devices = {"/dev/dma_heap/qcom,system"};
  SharedBufferOptions options = only(BufferBackend::kDmaHeap);
  options.dma_heap = "qcom,system";
  EXPECT_TRUE(SharedBuffer::allocate(1, options, system).is_dma());
}

/// Whatever refuses, the next back end is tried, and nothing stays open.
class Refusal : public testing::TestWithParam<std::pair<BufferBackend, const char*>> {};

TEST_P(Refusal, FallsThroughAndLeaksNothing) {
  const BufferBackend backend = GetParam().first;
  const char* call = GetParam().second;
  FakeMemorySystem system;
  system.devices = {"/dev/dma_heap/system", "/dev/ion", "/dev/udmabuf"};
  system.refusals[call] = ENOMEM;
  const std::string text = error_of(ErrorCode::kMissingComponent, [&] {
    (void)SharedBuffer::allocate(10, only(backend), system);
  });
  EXPECT_THAT(text, HasSubstr(backend_name(backend)));
  EXPECT_THAT(text, HasSubstr("Cannot allocate memory"));
  expect_nothing_left(system);
}

INSTANTIATE_TEST_SUITE_P(
    Calls, Refusal,
    testing::Values(
        std::pair(BufferBackend::kDmaHeap, "open"), std::pair(BufferBackend::kDmaHeap, "dma-heap"),
        std::pair(BufferBackend::kDmaHeap, "map"), std::pair(BufferBackend::kIon, "open"),
        std::pair(BufferBackend::kIon, "ion"), std::pair(BufferBackend::kIon, "map"),
        std::pair(BufferBackend::kUdmabuf, "open"),
        std::pair(BufferBackend::kUdmabuf, "memfd_create"),
        std::pair(BufferBackend::kUdmabuf, "truncate"), std::pair(BufferBackend::kUdmabuf, "seal"),
        std::pair(BufferBackend::kUdmabuf, "udmabuf"), std::pair(BufferBackend::kUdmabuf, "map"),
        std::pair(BufferBackend::kMemfd, "memfd_create"),
        std::pair(BufferBackend::kMemfd, "truncate"), std::pair(BufferBackend::kMemfd, "map")));

TEST(SharedBufferBackends, NamesEveryRefusal) {
  FakeMemorySystem system;
  system.refusals["memfd_create"] = EMFILE;
  const std::string text =
      error_of(ErrorCode::kMissingComponent, [&] { (void)SharedBuffer::allocate(10, {}, system); });
  EXPECT_THAT(text, HasSubstr("dma-heap: open /dev/dma_heap/system: No such file"));
  EXPECT_THAT(text, HasSubstr("ion: open /dev/ion"));
  EXPECT_THAT(text, HasSubstr("udmabuf: open /dev/udmabuf"));
  EXPECT_THAT(text, HasSubstr("memfd: memfd_create: Too many open files"));
}

TEST(SharedBufferImport, FailsCleanly) {
  FakeMemorySystem system;
  const int given = system.new_descriptor(4096, true);
  for (const char* call : {"duplicate", "size_of", "map"}) {
    system.refusals = {{call, EIO}};
    EXPECT_THROW((void)SharedBuffer::import(given, 100, system), Error) << call;
    EXPECT_EQ(system.open_descriptors.size(), 1U) << call;
  }
  system.refusals.clear();
  EXPECT_TRUE(SharedBuffer::import(given, 100, system).is_dma());
  EXPECT_FALSE(SharedBuffer::import(system.new_descriptor(100, false), 100, system).is_dma());
}

TEST(SharedBufferAccess, TellsTheKernelOfTheFirstAndTheLast) {
  FakeMemorySystem system;
  system.devices = {"/dev/dma_heap/system"};
  SharedBuffer buffer = SharedBuffer::allocate(10, {}, system);
  {
    const ScopedAccess outer(buffer, BufferAccess::kWrite);
    const ScopedAccess inner(buffer, BufferAccess::kWrite);
    const ScopedAccess reading(buffer, BufferAccess::kRead);
  }
  EXPECT_THAT(
      system.sync_flags,
      ElementsAre(DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
                  DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
}

TEST(SharedBufferAccess, IsTriedAgainAfterAnInterrupt) {
  FakeMemorySystem system;
  system.devices = {"/dev/dma_heap/system"};
  SharedBuffer buffer = SharedBuffer::allocate(10, {}, system);
  system.interruptions = 2;
  buffer.begin_access(BufferAccess::kReadWrite);
  EXPECT_THAT(system.sync_flags, ElementsAre(DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
}

TEST(SharedBufferAccess, ReportsRefusals) {
  FakeMemorySystem system;
  system.devices = {"/dev/dma_heap/system"};
  SharedBuffer buffer = SharedBuffer::allocate(10, {}, system);
  EXPECT_THAT(error_of(ErrorCode::kInternal, [&] { buffer.end_access(BufferAccess::kRead); }),
              HasSubstr("never began"));
  system.refusals["sync"] = EIO;
  EXPECT_THAT(error_of(ErrorCode::kIo, [&] { buffer.begin_access(BufferAccess::kRead); }),
              HasSubstr("cache sync of a dma-heap buffer"));
  system.refusals.clear();
  buffer.begin_access(BufferAccess::kRead);  // the refused one did not count
  system.refusals["sync"] = EIO;
  EXPECT_THROW(buffer.end_access(BufferAccess::kRead), Error);
  system.refusals.clear();
  buffer.end_access(BufferAccess::kRead);
}

TEST(SharedBufferAccess, IsSafeFromSeveralThreads) {
  FakeMemorySystem system;
  system.devices = {"/dev/dma_heap/system"};
  SharedBuffer buffer = SharedBuffer::allocate(10, {}, system);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 500; ++turn) {
        const ScopedAccess access(buffer, BufferAccess::kRead);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Begins and ends alternate: no end was told while another thread was inside.
  ASSERT_EQ(system.sync_flags.size() % 2, 0U);
  for (std::size_t i = 0; i < system.sync_flags.size(); ++i) {
    EXPECT_EQ((system.sync_flags[i] & DMA_BUF_SYNC_END) != 0, i % 2 == 1);
  }
}

TEST(SharedBuffer, CanBeMoved) {
  FakeMemorySystem system;
  system.devices = {"/dev/dma_heap/system"};
  {
    SharedBuffer a = SharedBuffer::allocate(10, {}, system);
    SharedBuffer b = SharedBuffer::allocate(20, {}, system);
    const std::byte* kept = a.bytes().data();
    b = std::move(a);
    EXPECT_EQ(b.bytes().data(), kept);
    EXPECT_EQ(system.mappings, 1);
    const SharedBuffer c = std::move(b);
    EXPECT_EQ(c.bytes().size(), 10U);
  }
  expect_nothing_left(system);
}

}  // namespace
}  // namespace hexquant
