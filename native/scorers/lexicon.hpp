// The lexicon: a trie of the words' spellings, with the look-ahead of the word language model at each node.
#pragma once
#include "scorers/plan.hpp"
#include "scorers/trie.hpp"

namespace ctckit {

class Lexicon {
 public:
  explicit Lexicon(const SearchPlan& plan);

  // The node of a word that is not in the lexicon.
  static constexpr uint32_t outside = Trie::none;  // also the result of Trie::child for a missing letter

  bool has(uint32_t node) const { return node == outside || node < trie_.size(); }

  // Takes one more letter. Returns e^(change of the potential).
  float step(uint32_t& node, int32_t letter) const;
  // The potential, in nats, of a word with this many letters.
  float potential(uint32_t node, int32_t letters) const {
    return node == outside ? outside_potential(letters) : potential_[node];
  }
  // The factor of a letter that leads out of the trie. Above 1 if unknown words are more probable than the words below.
  float leaving(uint32_t node) const { return node == outside ? oov_letter_factor_ : changes_[node].leaving; }
  // An upper bound of the factor of the word's end, at least 1.
  float ending_bound(uint32_t node, int32_t letters) const {
    return node == outside ? bound_of_end(outside_potential(letters)) : changes_[node].ending_bound;
  }
  // Whether a word, a position in SearchPlan::words, is in vocabulary.
  bool is_known(int32_t word) const { return word >= 0 && static_cast<size_t>(word) < known_words_; }
  // The likeliest word below or at the node of these letters, by its log-probability without context, else by its
  // position; −1: there is none.
  int32_t likeliest(std::span<const int32_t> letters) const;
  // The words that end at this node: positions in SearchPlan::words.
  std::span<const int32_t> words_at(uint32_t node) const {
    return node == outside ? std::span<const int32_t>{} : trie_.lists_at(node);
  }

 private:
  void find_potentials(const SearchPlan& plan);
  void find_likeliest(const SearchPlan& plan);
  float bound_of_end(float potential) const;
  float outside_potential(int32_t letters) const {
    return unknown_potential_ - oov_charge_ * static_cast<float>(letters);
  }

  Trie trie_;
  size_t known_words_;
  std::vector<int32_t> letters_;  // of each node
  // Of each node: weight · best unigram log-probability of the words below, less the charge for the letters so far if
  // that word is out of vocabulary; 0 at the root.
  std::vector<float> potential_;
  struct Change {
    float entering;  // e^(potential of the node − potential of its parent)
    float leaving;   // e^(potential outside, with one more letter − potential of the node)
    float ending_bound;
  };
  std::vector<Change> changes_;
  std::vector<int32_t> likeliest_;  // of each node, see likeliest(); only where words have names
  float unknown_potential_ = 0, oov_charge_, oov_letter_factor_, word_bonus_;
};

}  // namespace ctckit
