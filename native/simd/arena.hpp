// Memory for one item, allocated piece by piece. Compiled for each instruction set, as its users are.
#pragma once
#include <cstddef>
#include <cstdint>

#include "simd/vector.hpp"

namespace ctckit::CTCKIT_ISA {

CTCKIT_INLINE int smaller(int a, int b) { return a < b ? a : b; }
CTCKIT_INLINE int larger(int a, int b) { return a > b ? a : b; }

// Allocates aligned arrays from a block of memory. Without memory it only counts the bytes.
class Arena {
 public:
  CTCKIT_INLINE explicit Arena(std::byte* memory) : memory_(memory) {}

  template <class T>
  CTCKIT_INLINE T* take(int64_t count) {
    T* result = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    used_ += (static_cast<size_t>(count) * sizeof(T) + 63) & ~size_t{63};
    return result;
  }
  CTCKIT_INLINE size_t used() const { return used_; }

 private:
  std::byte* memory_;
  size_t used_ = 0;
};

}  // namespace ctckit::CTCKIT_ISA
