#include "scorers/lexicon.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lm/ngram.hpp"

namespace ctckit {

Lexicon::Lexicon(const SearchPlan& plan)
    : trie_(plan.words),
      potential_(trie_.size(), plan.word_lm ? -std::numeric_limits<float>::infinity() : 0.0f),
      changes_(trie_.size(), {1.0f, 1.0f, 1.0f}),
      oov_charge_(static_cast<float>(plan.oov_charge)),
      oov_letter_factor_(std::exp(-oov_charge_)),
      word_bonus_(static_cast<float>(plan.word_bonus)) {
  if (plan.word_lm) find_potentials(plan);
  std::vector<int32_t> letters(trie_.size(), 0);
  for (uint32_t node = 0; node < trie_.size(); ++node) {
    if (node != Trie::root) {
      letters[node] = letters[trie_.parent(node)] + 1;
      changes_[node].entering = std::exp(potential_[node] - potential_[trie_.parent(node)]);
    }
    changes_[node].leaving = std::exp(outside_potential(letters[node] + 1) - potential_[node]);
    changes_[node].ending_bound = bound_of_end(potential_[node]);
  }
}

void Lexicon::find_potentials(const SearchPlan& plan) {
  const NGram& model = *plan.word_lm;
  const auto weight = static_cast<float>(plan.word_lm_weight);
  unknown_potential_ = weight * model.look_ahead(model.unknown());
  for (uint32_t node = trie_.size() - 1; node != Trie::root; --node) {  // children before their parents
    for (int32_t word : trie_.lists_at(node)) {
      const auto id = static_cast<uint32_t>(plan.word_ids[static_cast<size_t>(word)]);
      potential_[node] = std::max(potential_[node], weight * model.look_ahead(id));
    }
    float& above = potential_[trie_.parent(node)];
    above = std::max(above, potential_[node]);
  }
  potential_[Trie::root] = 0;
}

float Lexicon::bound_of_end(float potential) const {
  return std::isinf(potential) ? 1.0f : std::exp(std::clamp(word_bonus_ - potential, 0.0f, largest_log));
}

float Lexicon::step(uint32_t& node, int32_t letter) const {
  if (node == outside) return oov_letter_factor_;
  const uint32_t next = trie_.child(node, letter);
  const float factor = next == Trie::none ? changes_[node].leaving : changes_[next].entering;
  node = next;
  return factor;
}

}  // namespace ctckit
