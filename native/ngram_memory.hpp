// Large zeroed memory for language models.
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ctckit {

inline std::shared_ptr<std::byte> zeroed_memory(size_t bytes) {
  constexpr size_t huge_page = size_t{2} << 20;
  const std::align_val_t alignment{bytes >= huge_page ? huge_page : 64};
  std::shared_ptr<std::byte> memory(static_cast<std::byte*>(::operator new(bytes, alignment)),
                                    [alignment](std::byte* each) { ::operator delete(each, alignment); });
#if defined(__linux__)
  // Queries jump through the memory: with 2 MiB pages the processor finds nearly every address at once. Only advice.
  if (bytes >= huge_page) madvise(memory.get(), bytes / huge_page * huge_page, MADV_HUGEPAGE);
#endif
  std::memset(memory.get(), 0, bytes);
  return memory;
}

}  // namespace ctckit
