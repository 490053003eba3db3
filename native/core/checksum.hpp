// A checksum of bytes: two texts that differ in a single 8-byte word never have the same.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ctckit {

uint64_t checksum(const std::byte* from, size_t bytes);

}  // namespace ctckit
