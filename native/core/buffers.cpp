#include "core/buffers.hpp"

#include <pthread.h>

#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ctckit {
namespace {

constexpr size_t huge_page = size_t{2} << 20;
constexpr std::align_val_t alignment{huge_page};

// The one buffer that is kept: the last that came back, of whatever size.
struct Store {
  std::mutex mutex;
  Buffer::Memory memory;
  size_t capacity = 0;
};

// Made while the library is loaded, not at the first call, which a fork might cut in half; outlives every tensor that
// Python may free while the process ends.
Store& kept = *new Store;

// A child has the thread that forked and no other. If another one held the mutex then, nobody there would ever release
// it: so the thread that forks takes it first.
[[maybe_unused]] const int registered =
    pthread_atfork([] { kept.mutex.lock(); }, [] { kept.mutex.unlock(); }, [] { kept.mutex.unlock(); });

Buffer::Memory allocate(size_t bytes) {
  Buffer::Memory memory(static_cast<std::byte*>(::operator new(bytes, alignment)));
#if defined(__linux__)
  // 2 MiB pages make first touches 512 times rarer. It is only advice: it may fail.
  if (bytes >= huge_page) madvise(memory.get(), bytes / huge_page * huge_page, MADV_HUGEPAGE);
#endif
  return memory;
}

}  // namespace

void Buffer::Free::operator()(std::byte* memory) const { ::operator delete(memory, alignment); }

Buffer::Buffer(size_t bytes) : capacity_(bytes) {
  {
    const std::lock_guard lock(kept.mutex);
    // Batches vary a little in size: what is at most twice too large will do.
    if (kept.memory && kept.capacity >= bytes && kept.capacity / 2 <= bytes) {
      memory_ = std::move(kept.memory);
      capacity_ = std::exchange(kept.capacity, 0);
    }
  }
  if (!memory_) memory_ = allocate(bytes);
}

Buffer::~Buffer() {
  const std::lock_guard lock(kept.mutex);
  std::swap(kept.memory, memory_);  // what was there is freed with this
  kept.capacity = capacity_;
}

}  // namespace ctckit
