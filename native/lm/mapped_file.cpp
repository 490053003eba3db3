#include "lm/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/checksum.hpp"
#include "lm/model.hpp"

namespace ctckit {
namespace {

class File {
 public:
  explicit File(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw FormatError(std::strerror(errno));
  }
  ~File() { close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  size_t bytes() const {
    struct stat found;
    if (fstat(descriptor_, &found) != 0) throw FormatError(std::strerror(errno));
    return static_cast<size_t>(found.st_size);
  }

  std::shared_ptr<const std::byte> map(size_t bytes) const {
    void* const at = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor_, 0);
    if (at == MAP_FAILED) throw FormatError(std::strerror(errno));
    return {static_cast<const std::byte*>(at),
            [bytes](const std::byte* each) { munmap(const_cast<std::byte*>(each), bytes); }};
  }

 private:
  int descriptor_;
};

}  // namespace

MappedFile mapped_file(const std::string& path) {
  const File file(path);
  const size_t bytes = file.bytes();
  return {bytes > 0 ? file.map(bytes) : nullptr, bytes};
}

uint64_t fingerprint(const MappedFile& file) noexcept {
  constexpr uint64_t samples = 64, sample_bytes = 4096;
  const std::byte* const from = file.memory.get();
  if (file.bytes <= samples * sample_bytes) return checksum(from, file.bytes);
  uint64_t result = file.bytes;
  for (uint64_t k = 0; k < samples; ++k) {
    const uint64_t at = (file.bytes - sample_bytes) / (samples - 1) * k;
    result = (result ^ checksum(from + at, sample_bytes)) * 0x9E3779B97F4A7C15u;
  }
  return result;
}

}  // namespace ctckit
