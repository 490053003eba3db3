#include "core/buffers.hpp"

#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

#include "core/platform.hpp"

namespace ctckit {
namespace {

constexpr std::align_val_t alignment{platform::huge_page};

// Keeps one buffer: the last that was freed, of any size.
struct Store {
  std::mutex mutex;
  Buffer::Memory memory;
  size_t capacity = 0;
};

// Created when the library is loaded: a fork during the first call could leave it half-made. Never destroyed: Python
// may free tensors until the process ends.
Store& kept = *new Store;

// The child of a fork has only the thread that forked. If another thread held the mutex, the child could never lock it.
// So the forking thread locks it first.
[[maybe_unused]] const bool registered = [] {
  constexpr auto unlock = [] { kept.mutex.unlock(); };
  platform::at_fork([] { kept.mutex.lock(); }, unlock, unlock);
  return true;
}();

Buffer::Memory allocate(size_t bytes) {
  Buffer::Memory memory(static_cast<std::byte*>(::operator new(bytes, alignment)));
  platform::use_huge_pages(memory.get(), bytes);
  return memory;
}

}  // namespace

void Buffer::Free::operator()(std::byte* memory) const { ::operator delete(memory, alignment); }

Buffer::Buffer(size_t bytes) : capacity_(bytes) {
  {
    const std::lock_guard lock(kept.mutex);
    // Batches vary a little in size: a buffer of up to twice the size is reused.
    if (kept.memory && kept.capacity >= bytes && kept.capacity / 2 <= bytes) {
      memory_ = std::move(kept.memory);
      capacity_ = std::exchange(kept.capacity, 0);
    }
  }
  if (!memory_) memory_ = allocate(bytes);
}

Buffer::~Buffer() {
  const std::lock_guard lock(kept.mutex);
  std::swap(kept.memory, memory_);  // the old buffer is freed with this object
  kept.capacity = capacity_;
}

}  // namespace ctckit
