// Hotwords: finds many patterns at once in a sequence of letters, with the automaton of Aho and Corasick (1975).
//
// A partly matched pattern earns a potential in advance, which is taken back if the pattern does not continue. Φ(state)
// is the largest weight · (letters seen / letters) of the patterns that continue after the state. A step from s to d
// scores Φ(d) − Φ(s), plus the weights of all patterns that end in d.
#pragma once
#include "scorers/plan.hpp"
#include "scorers/trie.hpp"

namespace ctckit {

class Hotwords {
 public:
  // `most_letters`: the largest number of letters in one token.
  Hotwords(const Ragged& patterns, const std::vector<float>& weights, size_t most_letters);

  uint32_t states() const { return trie_.size(); }
  uint32_t step(uint32_t state, int32_t letter) const;
  float potential(uint32_t state) const { return potential_[state]; }
  // The sum of the weights of all patterns that end in this state.
  float found(uint32_t state) const { return found_[state]; }
  // An upper bound of the factor of up to `letters` more letters: e^(their best score).
  float bound(uint32_t state, size_t letters) const { return bounds_[letters * potential_.size() + state]; }

 private:
  void find_bounds(size_t most_letters);

  Trie trie_;
  std::vector<uint32_t> shorter_;  // the longest proper suffix of the state that is also the beginning of a pattern
  std::vector<float> potential_, found_, bounds_;
};

}  // namespace ctckit
