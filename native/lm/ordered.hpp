// All n-grams of a model, sorted by the numbers of their words, however its states are numbered.
#pragma once
#include <cstdint>
#include <vector>

#include "lm/ngram.hpp"

namespace ctckit {

struct Ordered {
  // The n-gram whose context a state is.
  struct Last {
    uint32_t context = 0, word = 0;  // the state before its last word, and that word
  };

  std::vector<std::vector<const NGram::Slot*>> n_grams;  // of each length from 2 on, sorted
  std::vector<uint32_t> states;                          // sorted as their n-grams are, shorter ones first
  std::vector<uint32_t> ranks;                           // the place of each state among them
  std::vector<Last> last;                                // of each state

  static uint32_t context(const NGram::Slot& slot) { return static_cast<uint32_t>(slot.key >> 32); }
  static uint32_t word(const NGram::Slot& slot) { return static_cast<uint32_t>(slot.key); }
};

// Throws a FormatError if the model is damaged.
Ordered ordered(const NGram& model);

[[noreturn]] inline void damaged_model() { throw FormatError("the model is damaged."); }

}  // namespace ctckit
