// The header of a KenLM binary file.
//
// KenLM writes its data structures as they are in memory, on a little-endian machine of 64 bits. Version 5, in bytes:
//
//      0  "mmap lm http://kheafield.com/code format version 5\n", then zeros
//     56  float 0, 1, −0.5; uint32 1, 2³² − 1, 0; uint64 1: they tell the machine that wrote the file
//     88  uint8 order N
//     92  float multiplier: the number of buckets in a hash table, relative to its entries
//     96  int32 kind: 0 probing, 1 probing with rest costs, 2 trie, 3 quantized trie, 4 trie with compressed pointers, 5
//         both
//    100  uint8: 1 if the words are at the end of the file
//    104  uint32 version of the kind: 0 for the two probing ones, 1 for the tries
//    108  uint64 count of n-grams, for each of the N orders
//
// then zeros up to a multiple of 8. The vocabulary follows (vocabulary.hpp), then the n-grams (probing.hpp, trie.hpp),
// then, if the header says so, all words in the order of their numbers, each with a zero after it. Word 0 is <unk>. All
// logarithms have the base 10.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lm/kenlm/section.hpp"

namespace ctckit::kenlm {

enum class Kind : uint8_t { probing, rest_probing, trie, quantized_trie, array_trie, quantized_array_trie };

constexpr int most_order = 32;  // more than any KenLM in use is compiled for

struct Header {
  Kind kind;
  bool has_words;
  float multiplier;
  std::vector<uint64_t> counts;

  int order() const { return static_cast<int>(counts.size()); }
  bool is_probing() const { return kind <= Kind::rest_probing; }
  bool is_quantized() const { return kind == Kind::quantized_trie || kind == Kind::quantized_array_trie; }
  bool has_array() const { return kind >= Kind::array_trie; }
};

// Reads and checks the header. `sections` then begins at the vocabulary.
Header read_header(const std::byte* file, uint64_t bytes, Sections& sections);

}  // namespace ctckit::kenlm
