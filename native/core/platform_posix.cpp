#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

#include "core/platform.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

namespace ctckit::platform {
namespace {

class File {
 public:
  explicit File(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) fail();
  }
  ~File() { close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  size_t bytes() const {
    struct stat found;
    if (fstat(descriptor_, &found) != 0) fail();
    return static_cast<size_t>(found.st_size);
  }

  std::shared_ptr<const std::byte> map(size_t bytes) const {
    void* const at = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor_, 0);
    if (at == MAP_FAILED) fail();
    return {static_cast<const std::byte*>(at),
            [bytes](const std::byte* each) { munmap(const_cast<std::byte*>(each), bytes); }};
  }

 private:
  [[noreturn]] static void fail() { throw std::system_error(errno, std::generic_category()); }

  int descriptor_;
};

}  // namespace

MappedFile map_file(const std::string& path) {
  const File file(path);
  const size_t bytes = file.bytes();
  return {bytes > 0 ? file.map(bytes) : nullptr, bytes};
}

void* find_loaded(const std::string& library, const char* symbol) {
  void* const handle = dlopen(library.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (!handle) return nullptr;
  return dlsym(handle, symbol);
}

void at_fork(void (*before)(), void (*parent)(), void (*child)()) { pthread_atfork(before, parent, child); }

void use_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  if (bytes >= huge_page) madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE);
#endif
}

int allowed_processors() {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

int job_quota_processors() { return 0; }

}  // namespace ctckit::platform
