// Numbers at any byte, numbers of any width at any bit, and bit vectors that find their ones and zeros.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace ctckit {

template <class T>
T loaded(const std::byte* from) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// 64 bits from a byte on, the lowest bit first.
inline uint64_t word_at(const std::byte* from) noexcept {
  const auto word = loaded<uint64_t>(from);
  return std::endian::native == std::endian::little ? word : __builtin_bswap64(word);
}

// `width` bits, at most 57, that begin `bit` bits after `from`, the lowest bit first. Reads 8 bytes.
inline uint64_t bits_at(const std::byte* from, uint64_t bit, unsigned width) noexcept {
  return word_at(from + (bit >> 3)) >> (bit & 7) & ((uint64_t{1} << width) - 1);
}

// Writes a number of at most 57 bits where all bits are 0. Writes 8 bytes.
inline void put_bits(std::byte* to, uint64_t bit, uint64_t value) noexcept {
  uint64_t changed = word_at(to + (bit >> 3)) | value << (bit & 7);
  if constexpr (std::endian::native != std::endian::little) changed = __builtin_bswap64(changed);
  std::memcpy(to + (bit >> 3), &changed, sizeof changed);
}

// The bytes of `count` numbers without gaps, with the 8 bytes that the functions above may touch after them.
constexpr uint64_t packed_bytes(uint64_t count, unsigned width) noexcept {
  return (count * width + 63) / 64 * 8 + sizeof(uint64_t);
}

constexpr uint64_t each_byte = 0x0101010101010101u;

// The number of ones in each byte of a word.
inline uint64_t ones_of_bytes(uint64_t word) noexcept {
  word -= word >> 1 & 0x5555555555555555u;
  word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
  return (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
}

// std::popcount, which is a call where the processor may lack an instruction for it.
inline uint64_t ones_of(uint64_t word) noexcept { return ones_of_bytes(word) * each_byte >> 56; }

// A vector of bits in memory, at most 2³², with numbers that speed up counting (rank) and finding (select):
//   the bits, in blocks of 256,
//   for each block, the uint32 number of ones before it,
//   for each 128 zeros, the uint32 number of the block with the first of them.
// A run is the ones between two adjacent zeros. So a vector also stands for the lengths of runs, or for the sorted numbers
// of the runs that its ones are in.
//
// The memory may be a damaged file: for any content, all functions terminate, read only inside of it, and give numbers up
// to the number of bits.
class BitVector {
 public:
  struct Run {
    uint64_t first, last;  // the ones [first, last), first ≤ last
  };

  static constexpr uint64_t most_bits = ~uint32_t{0};

  static constexpr uint64_t bytes(uint64_t bits, uint64_t zeros) noexcept {
    return blocks(bits) * block_bytes + packed_bytes(blocks(bits) + hints(zeros), 32);
  }
  // Writes the numbers after the bits.
  static void index(std::byte* at, uint64_t bits, uint64_t zeros) noexcept;

  BitVector() = default;
  BitVector(const std::byte* at, uint64_t bits, uint64_t zeros) noexcept
      : bits_(bits), blocks_(blocks(bits)), hints_count_(hints(zeros)), words_(at) {
    ranks_ = at + blocks_ * block_bytes;
    hints_ = ranks_ + blocks_ * sizeof(uint32_t);
  }

  uint64_t size() const noexcept { return bits_; }
  bool operator[](uint64_t bit) const noexcept { return bits_at(words_, bit, 1) != 0; }

  // The number of ones before a bit.
  uint64_t ones_before(uint64_t bit) const noexcept {
    uint64_t ones = rank(bit / block_bits);
    for (uint64_t k = bit / block_bits * block_words; k < bit / 64; ++k) ones += ones_of(word(k));
    return std::min(ones + ones_of(word(bit / 64) & ((uint64_t{1} << bit % 64) - 1)), bits_);
  }

  // The ones between the zeros k − 1 and k.
  Run run(uint64_t k) const noexcept {
    const uint64_t begin = k > 0 ? zero(k - 1) + 1 : 0;
    if (begin >= bits_ || begin < k) return {0, 0};
    const uint64_t rest = ~word(begin / 64) >> begin % 64;
    const uint64_t end = rest != 0 ? begin + static_cast<uint64_t>(std::countr_zero(rest)) : zero(k);
    return {begin - k, std::clamp(end, begin, bits_) - k};
  }

 private:
  static constexpr uint64_t block_bits = 256, block_words = 4, block_bytes = 32, hint_zeros = 128;

  static constexpr uint64_t blocks(uint64_t bits) noexcept { return bits / block_bits + 1; }
  static constexpr uint64_t hints(uint64_t zeros) noexcept { return zeros / hint_zeros + 1; }
  // The place of the one with this number, for a number below ones_of(word).
  static uint64_t place(uint64_t word, uint64_t number) noexcept {
    const uint64_t sums = ones_of_bytes(word) * each_byte;  // in each byte, of itself and those before it
    const uint64_t reached = ((sums | 0x80 * each_byte) - (number + 1) * each_byte) & 0x80 * each_byte;
    const auto bit = static_cast<unsigned>(std::countr_zero(reached)) & ~7u;
    word >>= bit;
    for (uint64_t left = number - (sums << 8 >> bit & 255); left > 0; --left) word &= word - 1;
    return bit + static_cast<uint64_t>(std::countr_zero(word));
  }
  uint64_t word(uint64_t k) const noexcept { return word_at(words_ + k * sizeof(uint64_t)); }
  uint64_t rank(uint64_t block) const noexcept { return loaded<uint32_t>(ranks_ + block * sizeof(uint32_t)); }

  // The place of the zero with this number.
  uint64_t zero(uint64_t number) const noexcept {
    const uint64_t hint = std::min(number / hint_zeros, hints_count_ - 1);
    uint64_t block = std::min<uint64_t>(loaded<uint32_t>(hints_ + hint * sizeof(uint32_t)), blocks_ - 1);
    while (block + 1 < blocks_ && (block + 1) * block_bits - rank(block + 1) <= number) ++block;
    uint64_t left = number - (block * block_bits - rank(block));
    for (uint64_t k = block * block_words; k < (block + 1) * block_words; ++k) {
      const uint64_t zeros = ~word(k), here = ones_of(zeros);
      if (left < here) return k * 64 + place(zeros, left);
      left -= here;
    }
    return bits_;
  }

  uint64_t bits_ = 0, blocks_ = 0, hints_count_ = 0;
  const std::byte *words_ = nullptr, *ranks_ = nullptr, *hints_ = nullptr;
};

inline void BitVector::index(std::byte* at, uint64_t bits, uint64_t zeros) noexcept {
  std::byte* const ranks = at + blocks(bits) * block_bytes;
  std::byte* const hints_at = ranks + blocks(bits) * sizeof(uint32_t);
  const auto put = [](std::byte* to, uint64_t value) {
    const auto part = static_cast<uint32_t>(value);
    std::memcpy(to, &part, sizeof part);
  };
  uint64_t ones = 0, hint = 0;
  for (uint64_t block = 0; block < blocks(bits); ++block) {
    put(ranks + block * sizeof(uint32_t), ones);
    for (uint64_t k = 0; k < block_words; ++k) {
      ones += ones_of(word_at(at + block * block_bytes + k * sizeof(uint64_t)));
    }
    const uint64_t zeros_so_far = (block + 1) * block_bits - ones;
    for (; hint < hints(zeros) && hint * hint_zeros < zeros_so_far; ++hint)
      put(hints_at + hint * sizeof(uint32_t), block);
  }
}

}  // namespace ctckit
