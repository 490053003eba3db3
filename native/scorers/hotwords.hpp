// Many patterns found at once in a sequence of letters: the automaton of Aho and Corasick (1975).
//
// A pattern that is under way earns a potential, which is taken back when it does not come true: Φ(state) is the largest
// weight · (letters seen / letters) of the patterns that go on beyond the state. A step from s to d is fusion_score
// Φ(d) − Φ(s), and the weights of all patterns that end in d.
#pragma once
#include "scorers/plan.hpp"
#include "scorers/trie.hpp"

namespace ctckit {

class Hotwords {
 public:
  // `most_letters`: of one token.
  Hotwords(const Ragged& patterns, const std::vector<float>& weights, size_t most_letters);

  uint32_t step(uint32_t state, int32_t letter) const;
  float potential(uint32_t state) const { return potential_[state]; }
  // The weights of the patterns that end in this state.
  float found(uint32_t state) const { return found_[state]; }
  // No more than so many letters are fusion_score more than this: e^(the best that they can find − Φ(state)).
  float bound(uint32_t state, size_t letters) const { return bounds_[letters * potential_.size() + state]; }

 private:
  void find_bounds(size_t most_letters);

  Trie trie_;
  std::vector<uint32_t> shorter_;  // the longest proper ending of the state that begins a pattern as well
  std::vector<float> potential_, found_, bounds_;
};

}  // namespace ctckit
