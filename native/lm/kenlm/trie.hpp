// The n-grams of a trie file. The children of an n-gram are the n-grams with one word more before it.
//
// First, in quantized files only, the values that log₁₀ p and back-offs may have: uint8 version 2, uint8 bits of log₁₀ p,
// uint8 bits of the back-off, five unused bytes; then, for each order from 2 on, 2^bits floats for log₁₀ p and, below the
// highest order, 2^bits floats for the back-off.
//
// Then the words, in an array of float log₁₀ p, float back-off and the uint64 place of the first child; the children of
// a word end where those of the next word begin. The array has room for two more words than the header counts.
//
// Then, for each order from 2 on, an array of entries without gaps, whose widths in bits are those of
//   the number of the n-gram's first word: as many bits as the count of words needs,
//   below the highest order the back-off, in quantized files: its place among the values,
//   log₁₀ p: its place among the values, else 31 bits of a negative float; then, in other files, the 32 bits of the back-off,
//   below the highest order the place of the first child: as many bits as the count of the next order needs.
// Siblings are sorted by their words. There is one entry more, whose place of a child ends the last one's. 8 bytes follow.
//
// In files with compressed pointers, an array precedes the entries of each order between 2 and the highest: uint8 version
// 0, uint8 the most bits that may be saved; from the next multiple of 8 bytes on an unused uint64 and an array of uint64.
// The entries then hold only the low bits of a place. Its high bits are the number of the last array element that is not
// above the number of the entry. The number of bits saved is the one for which 64 · array elements − saved bits of all
// entries is smallest. 7 bytes less what the alignment took follow.
#pragma once
#include <algorithm>
#include <bit>
#include <vector>

#include "lm/kenlm/probing.hpp"

namespace ctckit::kenlm {

class Trie {
 public:
  // The children of an n-gram: places [first, last) in the next order. No value from the file is trusted: `last` is at
  // most the count of that order.
  struct Node {
    uint64_t first, last;
  };

  Trie(const Header& header, Sections& sections);

  Weights unigram(uint32_t word, Node& node) const noexcept {
    const std::byte* const at = unigrams_ + uint64_t{word} * unigram_bytes;
    node = within(loaded<uint64_t>(at + 8), loaded<uint64_t>(at + 8 + unigram_bytes), levels_.front().count);
    return {-std::abs(loaded<float>(at)), loaded<float>(at + 4), node.first < node.last};
  }
  bool longer(int length, uint32_t word, Node& node, Weights& found) const noexcept;
  bool longest(uint32_t word, const Node& node, float& log_prob) const noexcept;

  // The n-gram at a place of an order from 2 on: its first word and weights, and its children.
  uint32_t word_at(int length, uint64_t place) const noexcept { return word(level(length), place); }
  Weights entry(int length, uint64_t place, Node& node) const noexcept;
  uint64_t count(int length) const noexcept { return level(length).count; }

 private:
  static constexpr uint64_t unigram_bytes = 16;

  // The n-grams of one order.
  struct Level {
    uint64_t words, count, children;  // words, n-grams of this order, of the next one
    uint64_t word_share;              // of all words, one; · 2³²
    const std::byte* entries;
    unsigned word_bits, back_off_bits, log_prob_bits, child_bits, entry_bits;
    const std::byte *log_probs, *back_offs;  // the values; null if not quantized
    const std::byte* high;                   // null if pointers are not compressed
    uint64_t high_count;
  };

  const Level& level(int length) const noexcept { return levels_[static_cast<size_t>(length - 2)]; }
  void read_values(Sections& sections);
  static void read_array(Sections& sections, Level& level);
  void check_children(const Header& header) const;

  static Node within(uint64_t first, uint64_t last, uint64_t count) noexcept {
    last = std::min(last, count);
    return {std::min(first, last), last};
  }
  static uint32_t word(const Level& level, uint64_t place) noexcept {
    return static_cast<uint32_t>(bits_at(level.entries, place * level.entry_bits, level.word_bits));
  }
  static uint64_t find(const Level& level, uint32_t word, const Node& node) noexcept;
  static uint64_t shorten(const Level& level, uint32_t word, Node& node) noexcept;
  static float log_prob(const Level& level, uint64_t bit) noexcept;
  static float back_off(const Level& level, uint64_t bit) noexcept;
  static uint64_t low_child(const Level& level, uint64_t place) noexcept;
  static Node children(const Level& level, uint64_t place) noexcept;

  const std::byte* unigrams_;
  std::vector<Level> levels_;  // of the orders from 2 on
};

}  // namespace ctckit::kenlm
