// The words that the search tells apart: a trie of their spellings, and what may still be hoped for inside of each.
#pragma once
#include "scorers/plan.hpp"
#include "scorers/trie.hpp"

namespace ctckit {

class Lexicon {
 public:
  explicit Lexicon(const SearchPlan& plan);

  // Where a word stands that has left the trie: it is none of the lexicon's.
  static constexpr uint32_t outside = Trie::none;  // also what the trie gives for a letter that it does not have

  // How one more letter changes the potential, as a factor.
  float step(uint32_t& node, int32_t letter) const;
  // The potential, in nats, of a word of so many letters.
  float potential(uint32_t node, int32_t letters) const {
    return node == outside ? outside_potential(letters) : potential_[node];
  }
  // The factor of a letter that leads out of the trie; more than 1 where unknown words are likelier than those below.
  float leaving(uint32_t node) const { return node == outside ? oov_letter_factor_ : changes_[node].leaving; }
  // At least 1, and at least the factor of the word's end, whatever its probability, if it gives this bonus.
  float ending_bound(uint32_t node, int32_t letters) const {
    return node == outside ? bound_of_end(outside_potential(letters)) : changes_[node].ending_bound;
  }
  // The words that end here: positions in SearchPlan::words.
  std::span<const int32_t> words_at(uint32_t node) const {
    return node == outside ? std::span<const int32_t>{} : trie_.lists_at(node);
  }

 private:
  void find_potentials(const SearchPlan& plan);
  float bound_of_end(float potential) const;
  float outside_potential(int32_t letters) const {
    return unknown_potential_ - oov_charge_ * static_cast<float>(letters);
  }

  Trie trie_;
  std::vector<float>
      potential_;  // of each node: weight · the best unigram log-probability of the words below, 0 at the root
  struct Change {
    float entering;  // e^(potential of the node − potential of its parent)
    float leaving;   // e^(potential outside, one letter on − potential of the node)
    float ending_bound;
  };
  std::vector<Change> changes_;
  float unknown_potential_ = 0, oov_charge_, oov_letter_factor_, word_bonus_;
};

}  // namespace ctckit
