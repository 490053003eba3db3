// Builds an NGram from its words, then its n-grams, order by order.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/huge_pages.hpp"
#include "lm/ngram.hpp"

namespace ctckit {

class NGramBuilder {
 public:
  static constexpr uint32_t none = ~uint32_t{0};

  explicit NGramBuilder(int order);

  // Reserves memory for this many n-grams of each order: a hint.
  void reserve(const std::vector<uint64_t>& counts);

  // Adds a word; words are numbered in order. Returns false if the word exists already.
  bool add_word(std::string_view word, float log_prob, float back_off);
  uint32_t find(std::string_view word) const { return find(word, NGram::hash(word)); }
  uint32_t find(std::string_view word, uint64_t hash) const;  // none if absent
  void prefetch(uint64_t hash) const;
  uint32_t words() const { return static_cast<uint32_t>(name_ends_.size()); }

  // Adds `count` n-grams of one length ≥ 2, after all words and all shorter n-grams; words is (count, length). Stops at
  // an n-gram that exists already and returns the number added. A context that is no n-gram becomes a synthetic one
  // with the probability that backing off gives, so no probability changes.
  size_t add(int length, size_t count, const uint32_t* words, const float* log_probs, const float* back_offs);

  // Adds a missing <unk> with log₁₀ p = −100; <s> and </s> must exist.
  std::shared_ptr<const NGram> finish();

 private:
  struct Node {
    uint32_t parent;  // the context without its last word
    uint32_t word;    // its last word
    uint32_t shorter;
    float back_off;
    uint64_t followed;  // as in NGram::Node; not 0 if it is the context of an n-gram
    uint8_t length;
    bool synthetic;  // not added by the caller
  };
  static bool matters(const Node& node) { return node.followed || node.back_off != 0; }
  void add_unknown();
  NGram::Slot* slot_of(uint64_t key);
  uint32_t own_state(uint32_t state, uint32_t word);
  void grow();
  void grow_names(size_t slots);
  uint32_t add_node(uint32_t parent, uint32_t word, float back_off, bool synthetic);
  uint32_t context(const uint32_t* words, int length);
  std::vector<uint32_t> by_length() const;
  uint32_t longest_suffix(uint32_t state, uint32_t word);
  void link(const std::vector<uint32_t>& nodes);
  void set_synthetic_probabilities(const std::vector<uint32_t>& nodes);
  std::vector<uint32_t> fold(const std::vector<uint32_t>& nodes, NGram::Header& header);
  void write_table(const std::vector<uint32_t>& renamed, NGram::Slot* slots, uint64_t count);

  int order_;
  bool known_unknown_ = false;
  using Slots = std::vector<NGram::Slot, HugePages<NGram::Slot>>;
  Slots slots_;  // while building, `state` is the n-gram's own node, and 0 at the highest order
  size_t used_ = 0;
  std::vector<Node> nodes_;  // 0: the empty context; 1 + w: the word w; then longer ones
  std::vector<float> unigrams_;
  std::vector<NGram::NameSlot> name_slots_;
  std::vector<uint64_t> name_ends_;
  std::vector<char> names_;
  std::vector<uint64_t> counts_;
  std::vector<uint32_t> contexts_;  // of the n-grams in one call of add
};

}  // namespace ctckit
