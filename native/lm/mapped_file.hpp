// A file in memory, read-only.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

namespace ctckit {

struct MappedFile {
  std::shared_ptr<const std::byte> memory;  // aligned to pages; null if the file is empty
  size_t bytes;
};

// Throws a FormatError with the reason if the file cannot be read.
MappedFile mapped_file(const std::string& path);

}  // namespace ctckit
