// A file in memory, read-only.
#pragma once
#include <cstdint>
#include <string>

#include "core/platform.hpp"

namespace ctckit {

// Throws a FormatError with the reason if the file cannot be read.
MappedFile mapped_file(const std::string& path);

// Tells files apart: of the size, the header and samples of the content.
uint64_t fingerprint(const MappedFile& file) noexcept;

}  // namespace ctckit
