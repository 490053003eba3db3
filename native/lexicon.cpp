#include "lexicon.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ngram.hpp"

namespace ctckit {

Lexicon::Lexicon(const SearchPlan& plan)
    : trie_(plan.words),
      potential_(trie_.size(), plan.word_model ? -std::numeric_limits<float>::infinity() : 0.0f),
      entering_(trie_.size(), 1.0f),
      oov_charge_(static_cast<float>(plan.oov_charge)),
      oov_letter_factor_(std::exp(-oov_charge_)) {
  if (!plan.word_model) return;
  const auto weight = static_cast<float>(plan.word_weight);
  unknown_potential_ = weight * plan.word_model->unigram(plan.word_model->unknown());
  for (uint32_t node = trie_.size() - 1; node != Trie::root; --node) {  // children before their parents
    for (int32_t word : trie_.lists_at(node)) {
      const auto id = static_cast<uint32_t>(plan.word_ids[static_cast<size_t>(word)]);
      potential_[node] = std::max(potential_[node], weight * plan.word_model->unigram(id));
    }
    float& above = potential_[trie_.parent(node)];
    above = std::max(above, potential_[node]);
  }
  potential_[Trie::root] = 0;
  for (uint32_t node = 1; node < trie_.size(); ++node)
    entering_[node] = std::exp(potential_[node] - potential_[trie_.parent(node)]);
}

float Lexicon::step(uint32_t& node, int32_t letter, int32_t letters) const {
  if (node == outside) return oov_letter_factor_;
  const uint32_t next = trie_.child(node, letter);
  if (next != Trie::none) {
    node = next;
    return entering_[next];
  }
  const float factor = leaving(node, letters);
  node = outside;
  return factor;
}

float Lexicon::leaving(uint32_t node, int32_t letters) const {
  return node == outside ? oov_letter_factor_ : std::exp(outside_potential(letters + 1) - potential_[node]);
}

}  // namespace ctckit
