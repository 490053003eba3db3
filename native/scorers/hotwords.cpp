#include "scorers/hotwords.hpp"

#include <algorithm>
#include <cmath>

namespace ctckit {

Hotwords::Hotwords(const Ragged& patterns, const std::vector<float>& weights, size_t most_letters)
    : trie_(patterns), shorter_(trie_.size(), Trie::root), potential_(trie_.size(), 0.0f), found_(trie_.size(), 0.0f) {
  // seen: letters without boundaries.
  std::vector<float> seen(trie_.size(), 0.0f), promise(trie_.size(), 0.0f);
  for (uint32_t node = 1; node < trie_.size(); ++node)
    seen[node] = seen[trie_.parent(node)] + (trie_.letter(node) == boundary ? 0.0f : 1.0f);
  // promise: the most that one letter scores in a pattern below the node. Children come before their parents.
  for (uint32_t node = trie_.size() - 1; node != Trie::root; --node) {
    potential_[node] = promise[node] * seen[node];
    for (int32_t pattern : trie_.lists_at(node)) {
      found_[node] += weights[static_cast<size_t>(pattern)];
      promise[node] = std::max(promise[node], weights[static_cast<size_t>(pattern)] / std::max(seen[node], 1.0f));
    }
    float& above = promise[trie_.parent(node)];
    above = std::max(above, promise[node]);
  }
  for (uint32_t node = 1; node < trie_.size(); ++node) {  // level by level: shorter suffixes are known already
    const uint32_t parent = trie_.parent(node);
    if (parent != Trie::root) shorter_[node] = step(shorter_[parent], trie_.letter(node));
    found_[node] += found_[shorter_[node]];
  }
  find_bounds(most_letters);
}

// reach_n(s): the best sum of weights found and potential after up to n letters from s. A letter without a child
// continues from the shorter state.
void Hotwords::find_bounds(size_t most_letters) {
  const size_t states = potential_.size();
  std::vector<float> before = potential_, reach(states);
  bounds_.assign(states, 1.0f);
  for (size_t n = 1; n <= most_letters; ++n) {
    for (uint32_t state = 0; state < states; ++state) {
      float best = std::max(before[state], state == Trie::root ? before[state] : reach[shorter_[state]]);
      for (uint32_t next = trie_.first_child(state); next < trie_.end_child(state); ++next)
        best = std::max(best, found_[next] + before[next]);
      reach[state] = best;
    }
    for (uint32_t state = 0; state < states; ++state)
      bounds_.push_back(std::exp(std::min(reach[state] - potential_[state], static_cast<float>(largest_log))));
    before = reach;
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
