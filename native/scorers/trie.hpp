// Many short lists of letters as a tree. Nodes are numbered level by level, so the children of a node are adjacent.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "lm/bits.hpp"
#include "scorers/plan.hpp"

namespace ctckit {

class Trie {
 public:
  static constexpr uint32_t root = 0;
  static constexpr uint32_t none = ~uint32_t{0};

  explicit Trie(const Ragged& lists);

  uint32_t size() const { return static_cast<uint32_t>(parent_.size()); }
  uint32_t parent(uint32_t node) const { return parent_[node]; }
  int32_t letter(uint32_t node) const { return nodes_[node].letter; }  // the last one; −1 for the root
  uint32_t first_child(uint32_t node) const { return nodes_[node].first_child; }
  uint32_t end_child(uint32_t node) const { return nodes_[node + 1].first_child; }
  // The lists that end at this node.
  std::span<const int32_t> lists_at(uint32_t node) const { return ending_[node]; }

  uint32_t child(uint32_t node, int32_t letter) const {
    const uint64_t bit = bit_of(letter), there = nodes_[node].letters;
    if (!(there & bit)) return none;
    if (every_letter_has_its_bit_) return first_child(node) + static_cast<uint32_t>(ones_of(there & (bit - 1)));
    uint32_t from = first_child(node), to = end_child(node);
    while (to - from > 8) {
      const uint32_t middle = from + (to - from) / 2;
      (nodes_[middle].letter <= letter ? from : to) = middle;
    }
    for (; from < to; ++from)
      if (nodes_[from].letter == letter) return from;
    return none;
  }

 private:
  struct Node {
    uint32_t first_child;
    int32_t letter;
    uint64_t letters = 0;  // the bits of its children's letters
  };
  uint64_t bit_of(int32_t letter) const {
    const auto k = static_cast<size_t>(letter);
    return k < bits_.size() ? bits_[k] : 0;
  }

  std::vector<uint64_t> bits_;     // one bit for each letter, ascending; 0 for letters that do not occur
  bool every_letter_has_its_bit_;  // else several letters share a bit
  std::vector<Node> nodes_;        // plus one: the end of the last node's children
  std::vector<uint32_t> parent_;
  Ragged ending_;
};

}  // namespace ctckit
