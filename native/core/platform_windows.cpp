#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <system_error>

#include "core/platform.hpp"

namespace ctckit::platform {
namespace {

[[noreturn]] void fail() { throw std::system_error(static_cast<int>(GetLastError()), std::system_category()); }

std::wstring wide(const std::string& utf8) {
  const int bytes = static_cast<int>(utf8.size());
  if (bytes == 0) return {};
  const int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8.data(), bytes, nullptr, 0);
  if (length == 0) fail();
  std::wstring result(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8.data(), bytes, result.data(), length);
  return result;
}

class Handle {
 public:
  explicit Handle(HANDLE handle) : handle_(handle) {
    if (handle_ == nullptr || handle_ == INVALID_HANDLE_VALUE) fail();
  }
  ~Handle() { CloseHandle(handle_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  HANDLE get() const { return handle_; }

 private:
  HANDLE handle_;
};

size_t bytes_of(const Handle& file) {
  LARGE_INTEGER found;
  if (!GetFileSizeEx(file.get(), &found)) fail();
  return static_cast<size_t>(found.QuadPart);
}

// The view keeps the file open: both handles may be closed before it.
std::shared_ptr<const std::byte> view_of(const Handle& file) {
  const Handle mapping(CreateFileMappingW(file.get(), nullptr, PAGE_READONLY, 0, 0, nullptr));
  const void* const at = MapViewOfFile(mapping.get(), FILE_MAP_READ, 0, 0, 0);
  if (at == nullptr) fail();
  return {static_cast<const std::byte*>(at), [](const std::byte* each) { UnmapViewOfFile(each); }};
}

}  // namespace

MappedFile map_file(const std::string& path) {
  constexpr DWORD share = FILE_SHARE_READ | FILE_SHARE_DELETE;
  const Handle file(
      CreateFileW(wide(path).c_str(), GENERIC_READ, share, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr));
  const size_t bytes = bytes_of(file);
  return {bytes > 0 ? view_of(file) : nullptr, bytes};
}

void* find_loaded(const std::string& library, const char* symbol) {
  HMODULE handle;
  if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN, wide(library).c_str(), &handle)) return nullptr;
  return reinterpret_cast<void*>(GetProcAddress(handle, symbol));
}

void at_fork(void (*)(), void (*)(), void (*)()) {}

void use_huge_pages(void*, size_t) {}

// A mask has the processors of one group, of up to 64. A process in several groups has a mask of 0.
int allowed_processors() {
  DWORD_PTR allowed = 0, all = 0;
  if (GetProcessAffinityMask(GetCurrentProcess(), &allowed, &all) && allowed != 0) return std::popcount(allowed);
  return std::max(1, static_cast<int>(GetActiveProcessorCount(ALL_PROCESSOR_GROUPS)));
}

int job_quota_processors() {
  constexpr DWORD hard = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
  constexpr int64_t whole = 10000;  // a rate is in hundredths of a percent of all processors
  JOBOBJECT_CPU_RATE_CONTROL_INFORMATION found{};
  if (!QueryInformationJobObject(nullptr, JobObjectCpuRateControlInformation, &found, sizeof found, nullptr)) return 0;
  if ((found.ControlFlags & hard) != hard) return 0;
  const int64_t all = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
  return static_cast<int>(std::max<int64_t>(1, (all * found.CpuRate + whole - 1) / whole));
}

}  // namespace ctckit::platform
