// Scorers: the score terms that the search adds to CTC. They are language models, the lexicon, hotwords, and bonuses.
//
// Each extension of a prefix by a token multiplies the mass of the prefix by a factor, e^score, which depends only on
// the context of the prefix. Look-ahead and partial hotwords are potentials: added on the way and subtracted later.
// They guide the search and do not change the final score.
#pragma once
#include <memory>
#include <optional>
#include <unordered_map>

#include "lm/ngram.hpp"
#include "lm/session.hpp"
#include "scorers/hotwords.hpp"
#include "scorers/lexicon.hpp"
#include "scorers/plan.hpp"

namespace ctckit {

// A weighted log-probability; a model of weight 0 forbids nothing.
inline double weighted(double weight, double log_prob) { return weight > 0 ? weight * log_prob : 0; }

struct Context {
  ModelState token_lm, word;      // of the language models
  uint32_t node = Trie::root;     // in the lexicon
  uint32_t hotword = Trie::root;  // in the hotwords
  int32_t letters = 0;            // of the current word; 0 after a boundary

  bool operator==(const Context&) const = default;
};

// A factor and the next state.
template <class State>
struct StepOf {
  float factor;
  State state;
};
using Step = StepOf<ModelState>;     // of a language model
using ShortStep = StepOf<uint32_t>;  // of the hotwords, or of a model with short states

// The parts of a text's score without its CTC log-probability; nats, without weights.
struct Parts {
  double token_lm_log_prob = 0, word_lm_log_prob = 0, hotwords = 0;
  int64_t oov_letters = 0;
  std::vector<int32_t> words;  // the position of each word in SearchPlan::words, −1 for an unknown word
};

// The end of a word: its node in the lexicon and its number of letters.
struct WordEnd {
  uint32_t node;
  int32_t letters;
};

// A word that a spelling may be, after a state of the word model. `score`: with its weight and charge.
struct WordOption {
  ModelState state;
  double log_prob, score;
  int32_t word;
};
// Known options, for many texts with the same words: by state and node.
struct WordOptions {
  struct Place {
    ModelState state;
    uint32_t node;
    bool operator==(const Place&) const = default;
  };
  struct Hash {
    size_t operator()(const Place& place) const {
      return (hash_of(place.state) ^ uint64_t{place.node} << 32) * 0x9E3779B97F4A7C15u >> 16;
    }
  };
  std::unordered_map<Place, std::vector<WordOption>, Hash> of;
  std::vector<WordOption> unknown;  // a buffer
};

class Scorers {
 public:
  explicit Scorers(SearchPlan plan);
  // Scorers with other hotwords. They share the plan and the lexicon, so this costs as much as the hotwords alone.
  Scorers(const Scorers& others, const Ragged& hotwords, const std::vector<float>& weights);
  // The same scorers, which ask the language models in these sessions; null: they ask the model itself.
  Scorers(const Scorers& others, std::shared_ptr<Session> token_lm, std::shared_ptr<Session> word_lm);

  // Scorers for one search: these, or where a language model is asked in sessions, the same ones with a new session.
  static std::shared_ptr<const Scorers> for_one_search(const std::shared_ptr<const Scorers>& shared);
  bool has_sessions() const { return token_session_ || word_session_; }
  const std::shared_ptr<Session>& token_session() const { return token_session_; }
  const std::shared_ptr<Session>& word_session() const { return word_session_; }
  // Calls `use`, which drops all results, until the sessions know all answers that it needs. They ask for many at once.
  template <class Use>
  void ask_ahead(const Use& use) const;

  const SearchPlan& plan() const { return plan_; }
  // Whether any factor can differ from 1.
  bool any() const { return any_; }
  // A kind of tokens: their factors have the same upper bounds.
  struct Kind {
    bool ends_word;
    bool ends_it_at_once;  // a boundary is its first letter
    int whole_words;       // boundaries that end a word inside of the token
    size_t letters;        // number of letters; 0 without hotwords
    std::vector<int32_t> tokens;
    bool rare() const { return tokens.size() <= 4; }
  };
  const std::vector<Kind>& kinds() const { return kinds_; }
  size_t kind(int token) const { return kind_[static_cast<size_t>(token)]; }
  const Kind& kind_of(int token) const { return kinds_[kind(token)]; }
  // The upper bound of a factor is the product of this, hotword_bound, and end_word_bound or more_letters_bound.
  float token_bound(const Kind& kind) const;
  float hotword_bound(uint32_t state, const Kind& kind) const { return hotwords_->bound(state, kind.letters); }
  bool has_token_lm() const { return token_lm_ != nullptr; }
  bool has_hotwords() const { return hotwords_.has_value(); }

  Context start() const;
  // Whether all numbers of a context are in range; other code relies on this. Models check their states themselves.
  bool can_have(const Context& context) const;

  // Factors that depend on one state each, so that the caller can cache them. `inside`: within a word, not after a
  // boundary.
  Step token_lm_step(ModelState state, int token, bool inside) const;
  ShortStep hotword_step(uint32_t state, int token, bool inside) const;
  // The end of the current word. Depends only on the model's state and on the node in the lexicon.
  Step end_word(const Context& context) const;
  // An upper bound of the factor of the word's end, now or after more letters; at least 1.
  float end_word_bound(const Context& context) const;
  // The same for more letters without an end.
  float more_letters_bound(const Context& context) const;
  // Whether boundaries occur only at the beginning of tokens.
  bool boundaries_first() const { return boundaries_first_; }
  // The rest of a token's factor: its letters in lexicon and words. `ended`: the result of end_word(context) if known,
  // for a token that begins with a boundary.
  float letters(Context& context, int token, const Step* ended) const;
  float token_factor() const { return token_factor_; }

  // The log-factor of the end of the text.
  double finish(const Context& context) const;

  // Words that are spelled alike are chosen for the highest log-probability of the whole text (word_choice.cpp).
  Parts parts(std::span<const int32_t> tokens) const;
  Parts parts(std::span<const int32_t> tokens, WordOptions& known) const;
  // The parts of one more token, and of the end of the text, with each word chosen where it ends.
  Parts next(Context& context, int token) const;
  Parts end(Context context) const;
  // The weighted sum of the parts of this number of tokens, nats.
  double fusion_score(const Parts& parts, size_t tokens) const;
  // See Lexicon.
  int32_t likeliest_word(std::span<const int32_t> letters) const {
    return lexicon_ ? lexicon_->likeliest(letters) : -1;
  }

  // Whether different tokens may be written as the same text.
  bool ambiguous() const { return ambiguous_; }
  // Sets `text` to the text as it is written: letters, with one boundary between words. `words`: see Parts; a word with
  // a name is one negative number.
  void write(std::span<const int32_t> tokens, std::span<const int32_t> words, std::vector<int32_t>& text) const;

 private:
  struct Word {
    double log_prob;  // 0 without a model
    ModelState state;
    int32_t position;  // in the lexicon, −1 for none
  };
  Scorers(const Scorers&) = default;
  void set_hotwords(const Ragged& patterns, const std::vector<float>& weights);
  void find_kinds();
  Word best_word(const Context& context) const;
  bool is_oov(int32_t word) const { return lexicon_ && !lexicon_->is_known(word); }
  double word_value(int32_t letters, const Word& word) const;
  double token_lm_end(const ModelState& state) const;
  double word_lm_end(const ModelState& state) const;
  template <class EndWord>
  void walk(Context& context, int token, Parts& parts, EndWord&& end_word) const;
  void close_word(Context& context, Parts& parts) const;
  const std::vector<WordOption>& options(const ModelState& state, const WordEnd& end, WordOptions& known) const;
  void choose_words(std::span<const WordEnd> ends, Parts& parts, WordOptions& known) const;
  void find_ambiguity();

  std::shared_ptr<const SearchPlan> owned_plan_;
  const SearchPlan& plan_;
  const LanguageModel *token_lm_, *word_lm_;  // those of the plan, or the sessions
  const NGram* token_ngram_;                  // token_lm_ if it is one, for calls that are inlined; or null
  std::shared_ptr<Session> token_session_, word_session_;  // or null
  std::shared_ptr<const Lexicon> lexicon_;                 // or null
  std::optional<Hotwords> hotwords_;
  std::vector<Kind> kinds_;
  std::vector<uint16_t> kind_;  // of each class
  float token_factor_;
  bool any_ = false, boundaries_first_ = true, ambiguous_ = false;
};

template <class Use>
void Scorers::ask_ahead(const Use& use) const {
  // An exception ends the noting as well.
  struct Noting {
    explicit Noting(const Session* session) : session(session) {
      if (session) session->begin_noting();
    }
    ~Noting() {
      if (session) session->end_noting();
    }
    Noting(const Noting&) = delete;
    Noting& operator=(const Noting&) = delete;
    const Session* const session;
  };
  for (bool more = has_sessions(); more;) {
    {
      const Noting tokens(token_session_.get()), words(word_session_.get());
      use();
    }
    more = false;
    for (const Session* session : {token_session_.get(), word_session_.get()})
      if (session && session->ask_noted()) more = true;
  }
}

}  // namespace ctckit
