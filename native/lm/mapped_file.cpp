#include "lm/mapped_file.hpp"

#include <system_error>

#include "core/checksum.hpp"
#include "lm/model.hpp"

namespace ctckit {

MappedFile mapped_file(const std::string& path) {
  try {
    return platform::map_file(path);
  } catch (const std::system_error& error) {
    throw FormatError(error.code().message());
  }
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
