// Memory for gradients, kept from step to step.
//
// A gradient is as large as the logits, written once and freed before the next step. Fresh memory of that size comes from
// the operating system page by page, each zeroed at its first touch: for large vocabularies that costs as much as the
// whole computation. So the last buffer that came back is kept for the next one.
#pragma once
#include <cstddef>
#include <memory>

namespace ctckit {

// A stretch of memory, aligned to huge pages where it is large; goes back to the store when it is destroyed.
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
