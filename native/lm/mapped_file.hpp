// A file in memory, read-only.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace ctckit {

struct MappedFile {
  std::shared_ptr<const std::byte> memory;  // aligned to pages; null if the file is empty
  size_t bytes;
};

// Throws a FormatError with the reason if the file cannot be read.
MappedFile mapped_file(const std::string& path);

// Tells files apart: of the size, the header and samples of the content.
uint64_t fingerprint(const MappedFile& file) noexcept;

}  // namespace ctckit
