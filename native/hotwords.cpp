#include "hotwords.hpp"

#include <algorithm>

namespace ctckit {

Hotwords::Hotwords(const Ragged& patterns, const std::vector<float>& weights)
    : trie_(patterns), shorter_(trie_.size(), Trie::root), potential_(trie_.size(), 0.0f), found_(trie_.size(), 0.0f) {
  // Letters that count: boundaries do not.
  std::vector<float> seen(trie_.size(), 0.0f), promise(trie_.size(), 0.0f);
  for (uint32_t node = 1; node < trie_.size(); ++node)
    seen[node] = seen[trie_.parent(node)] + (trie_.letter(node) == boundary ? 0.0f : 1.0f);
  // promise: the most that one more letter is worth to a pattern below. Children before their parents.
  for (uint32_t node = trie_.size() - 1; node != Trie::root; --node) {
    potential_[node] = promise[node] * seen[node];
    for (int32_t pattern : trie_.lists_at(node)) {
      found_[node] += weights[static_cast<size_t>(pattern)];
      promise[node] = std::max(promise[node], weights[static_cast<size_t>(pattern)] / std::max(seen[node], 1.0f));
    }
    float& above = promise[trie_.parent(node)];
    above = std::max(above, promise[node]);
  }
  for (uint32_t node = 1; node < trie_.size(); ++node) {  // level by level: shorter ones are known already
    const uint32_t parent = trie_.parent(node);
    if (parent != Trie::root) shorter_[node] = step(shorter_[parent], trie_.letter(node));
    found_[node] += found_[shorter_[node]];
  }
}

uint32_t Hotwords::step(uint32_t state, int32_t letter) const {
  for (;; state = shorter_[state]) {
    const uint32_t next = trie_.child(state, letter);
    if (next != Trie::none) return next;
    if (state == Trie::root) return Trie::root;
  }
}

}  // namespace ctckit
