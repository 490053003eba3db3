// All that differs between operating systems: platform_posix.cpp and platform_windows.cpp. No other file of native/ asks
// for the system or includes its headers. Where a system lacks something that is only a hint, the function does nothing.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

namespace ctckit {

struct MappedFile {
  std::shared_ptr<const std::byte> memory;  // aligned to pages; null if the file is empty
  size_t bytes;
};

namespace platform {

// Maps a file, read-only. The path is in UTF-8 on Windows, in the bytes of the file system elsewhere. Throws a
// std::system_error with the reason if the file cannot be read.
MappedFile map_file(const std::string& path);

// The address of a symbol of a library, given by its path, that the process has loaded already; null: no such library, or
// no such symbol in it. The library stays loaded from then on.
void* find_loaded(const std::string& library, const char* symbol);

// Registers functions that fork() calls: in the forking thread before it, then in the parent, and in the child. Null: none.
// Without effect on systems without fork().
void at_fork(void (*before)(), void (*parent)(), void (*child)());

constexpr size_t huge_page = size_t{2} << 20;

// Asks for huge pages for memory that is aligned to them: 512 times fewer page faults. A hint: it may fail.
void use_huge_pages(void* memory, size_t bytes);

// The processors of the process's affinity mask. At least 1.
int allowed_processors();

// The processors that a quota of the system itself allows, rounded up; 0: there is no quota, or the system keeps its quotas
// in files (see processors.hpp).
int job_quota_processors();

}  // namespace platform
}  // namespace ctckit
