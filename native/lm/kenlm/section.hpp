// The checked division of a mapped file into sections. Numbers in the file are aligned to 4 bytes at most.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "lm/bits.hpp"
#include "lm/model.hpp"

namespace ctckit::kenlm {

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
