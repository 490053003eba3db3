// Memory for gradients, reused from one training step to the next.
//
// A gradient is as large as the logits; it is written once and freed before the next step. The operating system hands
// out new memory page by page and zeroes each page at its first use. For large vocabularies that costs as much as the
// whole computation. So the last freed buffer is kept for the next request.
#pragma once
#include <cstddef>
#include <memory>

namespace ctckit {

// A block of memory, aligned to huge pages. The destructor gives it back to the store.
class Buffer {
 public:
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return memory_.get(); }

  struct Free {
    void operator()(std::byte* memory) const;
  };
  using Memory = std::unique_ptr<std::byte, Free>;

 private:
  Memory memory_;
  size_t capacity_;
};

}  // namespace ctckit
