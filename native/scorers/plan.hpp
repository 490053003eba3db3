// The settings of a search. kernels/search/plan.py has the same fields in Python, and explains each.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

namespace ctckit {

class LanguageModel;

// Lists of integers, stored one after another.
struct Ragged {
  std::vector<int32_t> values;
  std::vector<int64_t> offsets{0};  // one more than there are lists

  size_t size() const { return offsets.size() - 1; }
  std::span<const int32_t> operator[](size_t k) const {
    return {values.data() + offsets[k], static_cast<size_t>(offsets[k + 1] - offsets[k])};
  }
};

constexpr double largest_log = 55;   // no scorer's factor exceeds e^55
constexpr double smallest_log = 80;  // no factor is below e^−80, unless it is 0

// All scorers together multiply a mass by at most this number: masses are below 2^40 and must not overflow.
constexpr float largest_factor = 0x1p86f;

// e^(a score). A possible token keeps a mass that float can hold: the exact scores come later.
inline float factor_of(double score) {
  if (score == -std::numeric_limits<double>::infinity()) return 0;
  return static_cast<float>(std::exp(std::clamp(score, -smallest_log, largest_log)));
}

constexpr int32_t boundary = 0;  // the letter that stands for a word boundary

struct SearchPlan {
  int classes, blank, beam_width;
  double token_threshold, beam_threshold;  // nats, −∞: none
  double token_bonus, word_bonus;
  bool has_words;
  bool lm_boundary;  // texts begin after <s> and end with </s>
  Ragged letters;    // of each class

  std::shared_ptr<const LanguageModel> token_lm;  // or null
  double token_lm_weight;
  Ragged token_lm_ids;     // of each class
  int32_t token_lm_space;  // −1: entries of the model are tokens, not letters

  std::shared_ptr<const LanguageModel> word_lm;  // or null
  double word_lm_weight;
  bool has_lexicon;
  Ragged words;  // spellings
  // If words have names of their own: the characters of each spelling's word, and of each class.
  Ragged word_names, class_names;
  std::vector<int32_t> word_ids;  // of each spelling, in word_lm; −1 without a model
  size_t oov_words = 0;           // how many of the last words are charged like unknown ones; only with word_lm
  double oov_charge;              // nats for each letter; +∞: forbidden

  // Those of new Scorers. Scorers that are made from others have the same plan, and hotwords of their own.
  Ragged hotwords;
  std::vector<float> hotword_weights;
};

}  // namespace ctckit
