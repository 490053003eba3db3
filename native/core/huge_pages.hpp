// Memory for large hash tables. With 2 MiB pages nearly every random access hits the processor's address cache (TLB).
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#include "core/platform.hpp"

namespace ctckit {

template <class T>
struct HugePages {
  using value_type = T;

  HugePages() = default;
  template <class U>
  HugePages(const HugePages<U>&) {}

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    void* const memory = ::operator new(bytes, alignment(bytes));
    platform::use_huge_pages(memory, bytes);
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t count) { ::operator delete(memory, alignment(count * sizeof(T))); }

  template <class U>
  bool operator==(const HugePages<U>&) const {
    return true;
  }

 private:
  static std::align_val_t alignment(size_t bytes) {
    return std::align_val_t{bytes >= platform::huge_page ? platform::huge_page : 64};
  }
};

inline std::shared_ptr<std::byte> zeroed_memory(size_t bytes) {
  HugePages<std::byte> pages;
  std::shared_ptr<std::byte> memory(pages.allocate(bytes),
                                    [pages, bytes](std::byte* each) mutable { pages.deallocate(each, bytes); });
  std::memset(memory.get(), 0, bytes);
  return memory;
}

}  // namespace ctckit
