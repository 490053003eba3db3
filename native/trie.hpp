// Many short lists of letters as a tree. Nodes are numbered level by level, so that the children of a node stand side by side.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "search_plan.hpp"

namespace ctckit {

class Trie {
 public:
  static constexpr uint32_t root = 0;
  static constexpr uint32_t none = ~uint32_t{0};

  explicit Trie(const Ragged& lists);

  uint32_t size() const { return static_cast<uint32_t>(letter_.size()); }
  uint32_t parent(uint32_t node) const { return parent_[node]; }
  int32_t letter(uint32_t node) const { return letter_[node]; }  // the last one; −1 for the root
  uint32_t first_child(uint32_t node) const { return first_child_[node]; }
  uint32_t end_child(uint32_t node) const { return first_child_[node + 1]; }
  // The lists that end here.
  std::span<const int32_t> lists_at(uint32_t node) const { return ending_[node]; }

  uint32_t child(uint32_t node, int32_t letter) const {
    uint32_t from = first_child_[node], to = first_child_[node + 1];
    while (to - from > 8) {
      const uint32_t middle = from + (to - from) / 2;
      (letter_[middle] <= letter ? from : to) = middle;
    }
    for (; from < to; ++from)
      if (letter_[from] == letter) return from;
    return none;
  }

 private:
  std::vector<int32_t> letter_;
  std::vector<uint32_t> parent_, first_child_;
  Ragged ending_;
};

}  // namespace ctckit
