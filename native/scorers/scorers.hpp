// What the language models, the lexicon and the hotwords make of a prefix: the edge scorers of the search.
//
// Extending a prefix by a token multiplies its mass by a factor that depends on the prefix' context alone. Look-ahead and
// progress in a hotword are potentials: granted on the way and taken back, they steer the search and leave the score as it is.
#pragma once
#include <optional>

#include "scorers/hotwords.hpp"
#include "scorers/lexicon.hpp"
#include "scorers/plan.hpp"

namespace ctckit {

struct Context {
  uint32_t token_lm = 0, word = 0;  // states of the models
  uint32_t node = Trie::root;       // in the lexicon
  uint32_t hotword = Trie::root;    // in the hotwords
  int32_t letters = 0;              // of the current word; 0 behind a boundary
};

// A factor, and the state after it.
struct Step {
  float factor;
  uint32_t state;
};

// What a text's score holds beside its log-probability under CTC; nats, weights not applied.
struct Parts {
  double token_lm_log_prob = 0, word_lm_log_prob = 0, hotwords = 0;
  int64_t oov_letters = 0;
  std::vector<int32_t> words;  // of each word its position in SearchPlan::words, −1 for one that is not there
};

class Scorers {
 public:
  explicit Scorers(SearchPlan plan);

  const SearchPlan& plan() const { return plan_; }
  // Whether any factor differs from 1.
  bool any() const { return any_; }
  // Tokens of one kind have one bound: of their factor, in any context.
  struct Kind {
    bool ends_word;
    bool ends_it_at_once;  // a boundary is its first letter
    int whole_words;       // boundaries behind letters of its own
    size_t letters;        // as far as hotwords make a difference of it
    std::vector<int32_t> tokens;
    bool rare() const { return tokens.size() <= 4; }
  };
  const std::vector<Kind>& kinds() const { return kinds_; }
  size_t kind(int token) const { return kind_[static_cast<size_t>(token)]; }
  const Kind& kind_of(int token) const { return kinds_[kind(token)]; }
  // The bound is the product of this, of hotword_bound, and of end_word_bound or more_letters_bound.
  float token_bound(const Kind& kind) const;
  float hotword_bound(uint32_t state, const Kind& kind) const { return hotwords_->bound(state, kind.letters); }
  bool has_token_lm() const { return plan_.token_lm != nullptr; }
  bool has_hotwords() const { return hotwords_.has_value(); }

  Context start() const;

  // The parts that depend on one state each, to be remembered by the caller. `inside`: in a word, not behind a boundary.
  Step token_lm_step(uint32_t state, int token, bool inside) const;
  Step hotword_step(uint32_t state, int token, bool inside) const;
  // The end of the word that the context is in; it depends on the model's state and the place in the lexicon alone.
  Step end_word(const Context& context) const;
  // At least 1, and at least the factor of the word's end, at once or after more letters.
  float end_word_bound(const Context& context) const;
  // The same of more letters without an end.
  float more_letters_bound(const Context& context) const;
  // Whether boundaries stand at the beginning of tokens only.
  bool boundaries_first() const { return boundaries_first_; }
  // The rest of a token's factor: its letters walked through words. `ended`: end_word(context) if it is known, for a token
  // that ends the word at once.
  float letters(Context& context, int token, const Step* ended) const;
  float token_factor() const { return token_factor_; }

  // The logarithm of what the end of the text multiplies by.
  double finish(const Context& context) const;

  Parts parts(std::span<const int32_t> tokens) const;

 private:
  struct Word {
    float log_prob;  // of the model; 0 without one
    uint32_t state;
    int32_t position;  // in the lexicon, −1 for none
  };
  void find_kinds();
  Word best_word(const Context& context) const;
  double word_value(const Context& context, const Word& word) const;
  double token_lm_end(uint32_t state) const;
  double word_lm_end(uint32_t state) const;
  void walk(Context& context, int token, Parts& parts) const;
  void close_word(Context& context, Parts& parts) const;

  SearchPlan plan_;
  std::optional<Lexicon> lexicon_;
  std::optional<Hotwords> hotwords_;
  std::vector<Kind> kinds_;
  std::vector<uint16_t> kind_;  // of each class
  float token_factor_;
  bool any_, boundaries_first_ = true;
};

}  // namespace ctckit
