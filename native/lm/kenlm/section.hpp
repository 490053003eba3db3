// Parts of a mapped file: numbers at any byte, numbers of any width at any bit, and the checked division into sections.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "lm/model.hpp"

namespace ctckit::kenlm {

// Numbers in the file are aligned to 4 bytes at most.
template <class T>
T loaded(const std::byte* from) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// `width` bits, at most 57, that begin `bit` bits after `from`, the lowest bit first. Reads 8 bytes.
inline uint64_t bits_at(const std::byte* from, uint64_t bit, unsigned width) noexcept {
  return loaded<uint64_t>(from + (bit >> 3)) >> (bit & 7) & ((uint64_t{1} << width) - 1);
}

// The sections of a file, taken from the front.
class Sections {
 public:
  Sections(const std::byte* file, uint64_t bytes, uint64_t from) : file_(file), bytes_(bytes), at_(from) {}

  // Takes `count` entries of `size` bytes, size > 0.
  const std::byte* take(uint64_t count, uint64_t size, const std::string& what) {
    if (at_ > bytes_ || count > (bytes_ - at_) / size) {
      throw FormatError("the file has " + std::to_string(bytes_) + " bytes, too few for its " + what +
                        ". Is it truncated? Copy it again, or build it again from the ARPA file.");
    }
    const std::byte* const found = file_ + at_;
    at_ += count * size;
    return found;
  }

  uint64_t at() const noexcept { return at_; }
  uint64_t left() const noexcept { return bytes_ - at_; }

 private:
  const std::byte* file_;
  uint64_t bytes_, at_;
};

// What no file that KenLM wrote has.
[[noreturn]] inline void damaged(const std::string& what) {
  throw FormatError("the file is damaged: " + what + ". Copy it again, or build it again from the ARPA file.");
}

}  // namespace ctckit::kenlm
