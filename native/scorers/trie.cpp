#include "scorers/trie.hpp"

#include <numeric>

namespace ctckit {

Trie::Trie(const Ragged& lists) : nodes_{{0, -1}}, parent_{none} {
  for (int32_t letter : lists.values) bits_.resize(std::max(bits_.size(), static_cast<size_t>(letter) + 1), 0);
  for (int32_t letter : lists.values) bits_[static_cast<size_t>(letter)] = 1;
  size_t letters = 0;
  for (uint64_t& each : bits_)
    if (each) each = uint64_t{1} << (letters++ % 64);
  every_letter_has_its_bit_ = letters <= 64;
  // After sorting, lists with the same prefix are adjacent: a node is a range of lists, its children are parts of that
  // range.
  std::vector<int32_t> order(lists.size());
  std::iota(order.begin(), order.end(), 0);
  const auto list = [&](int32_t k) { return lists[static_cast<size_t>(k)]; };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return std::lexicographical_compare(list(a).begin(), list(a).end(), list(b).begin(), list(b).end());
  });

  struct Range {
    size_t from, to, depth;
  };
  std::vector<Range> ranges = {{0, order.size(), 0}};
  for (size_t node = 0; node < ranges.size(); ++node) {
    auto [from, to, depth] = ranges[node];
    nodes_[node].first_child = static_cast<uint32_t>(ranges.size());
    for (; from < to && list(order[from]).size() == depth; ++from) ending_.values.push_back(order[from]);
    ending_.offsets.push_back(static_cast<int64_t>(ending_.values.size()));
    while (from < to) {
      const int32_t letter = list(order[from])[depth];
      size_t end = from + 1;
      while (end < to && list(order[end])[depth] == letter) ++end;
      ranges.push_back({from, end, depth + 1});
      nodes_.push_back({0, letter});
      nodes_[node].letters |= bit_of(letter);
      parent_.push_back(static_cast<uint32_t>(node));
      from = end;
    }
  }
  nodes_.push_back({static_cast<uint32_t>(ranges.size()), -1});
}

}  // namespace ctckit
