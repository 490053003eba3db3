#include "scorers/scorers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace ctckit {

Scorers::Scorers(SearchPlan plan)
    : owned_plan_(std::make_shared<const SearchPlan>(std::move(plan))),
      plan_(*owned_plan_),
      token_lm_(plan_.token_lm.get()),
      word_lm_(plan_.word_lm.get()),
      token_ngram_(dynamic_cast<const NGram*>(token_lm_)),
      token_factor_(factor_of(plan_.token_bonus)) {
  if (plan_.has_lexicon) lexicon_ = std::make_shared<const Lexicon>(plan_);
  find_ambiguity();
  set_hotwords(plan_.hotwords, plan_.hotword_weights);
}

Scorers::Scorers(const Scorers& others, const Ragged& hotwords, const std::vector<float>& weights) : Scorers(others) {
  set_hotwords(hotwords, weights);
}

Scorers::Scorers(const Scorers& others, std::shared_ptr<Session> token_lm, std::shared_ptr<Session> word_lm)
    : Scorers(others) {
  token_session_ = std::move(token_lm);
  word_session_ = std::move(word_lm);
  if (token_session_) token_lm_ = token_session_.get();
  if (word_session_) word_lm_ = word_session_.get();
}

std::shared_ptr<const Scorers> Scorers::for_one_search(const std::shared_ptr<const Scorers>& shared) {
  if (shared->has_sessions()) return shared;
  const auto session = [](const LanguageModel* model) { return model ? model->session() : nullptr; };
  std::shared_ptr<Session> token_lm = session(shared->token_lm_), word_lm = session(shared->word_lm_);
  if (!token_lm && !word_lm) return shared;
  return std::make_shared<const Scorers>(*shared, std::move(token_lm), std::move(word_lm));
}

void Scorers::set_hotwords(const Ragged& patterns, const std::vector<float>& weights) {
  hotwords_.reset();
  if (patterns.size() > 0) {
    size_t most_letters = 0;
    for (size_t c = 0; c < plan_.letters.size(); ++c) most_letters = std::max(most_letters, plan_.letters[c].size());
    hotwords_.emplace(patterns, weights, most_letters);
  }
  find_kinds();
  const bool words_count = plan_.has_words && (plan_.has_lexicon || word_lm_ || plan_.word_bonus != 0);
  any_ = has_token_lm() || words_count || has_hotwords() || plan_.token_bonus != 0;
}

void Scorers::find_kinds() {
  kinds_.clear();
  kind_.clear();
  for (size_t c = 0; c < plan_.letters.size(); ++c) {
    const auto letters = plan_.letters[c];
    const auto is_boundary = [](int32_t each) { return each == boundary; };
    const auto first_letter = std::find_if_not(letters.begin(), letters.end(), is_boundary);
    const bool ends_word = std::any_of(letters.begin(), letters.end(), is_boundary);
    const auto whole_words = static_cast<int>(std::count_if(first_letter, letters.end(), is_boundary));
    const bool at_once = !letters.empty() && letters.front() == boundary;
    const Kind found = {ends_word, at_once, whole_words, hotwords_ ? letters.size() : 0, {}};
    const auto known = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& each) {
      return each.ends_word == ends_word && each.ends_it_at_once == at_once && each.whole_words == whole_words &&
             each.letters == found.letters;
    });
    const auto kind = static_cast<size_t>(known - kinds_.begin());
    if (known == kinds_.end()) kinds_.push_back(found);
    if (static_cast<int>(c) != plan_.blank) kinds_[kind].tokens.push_back(static_cast<int32_t>(c));
    kind_.push_back(static_cast<uint16_t>(kind));
    boundaries_first_ &= whole_words == 0;
  }
}

// Texts are written alike only if a token is not one letter, if two tokens have the same letters, or if a word has
// several spellings.
void Scorers::find_ambiguity() {
  std::vector<int32_t> written;
  ambiguous_ = plan_.has_words;
  for (int c = 0; c < plan_.classes; ++c) {
    const auto letters = plan_.letters[static_cast<size_t>(c)];
    if (c == plan_.blank) continue;
    ambiguous_ |= letters.size() != 1;
    written.insert(written.end(), letters.begin(), letters.end());
  }
  std::sort(written.begin(), written.end());
  ambiguous_ |= std::adjacent_find(written.begin(), written.end()) != written.end();
}

float Scorers::token_bound(const Kind& kind) const {
  return token_factor_ * factor_of(std::max(plan_.word_bonus, 0.0) * kind.whole_words);
}

Context Scorers::start() const {
  Context context;
  if (token_lm_ && plan_.lm_boundary) context.token_lm = token_lm_->first_state();
  if (word_lm_ && plan_.lm_boundary) context.word = word_lm_->first_state();
  if (hotwords_ && plan_.has_words) context.hotword = hotwords_->step(Trie::root, boundary);
  return context;
}

bool Scorers::can_have(const Context& context) const {
  constexpr int32_t most_letters = 1 << 30;
  const bool node = lexicon_ ? lexicon_->has(context.node) : context.node == Trie::root;
  const bool hotword = context.hotword < (hotwords_ ? hotwords_->states() : 1);
  return node && hotword && context.letters >= 0 && context.letters < most_letters;
}

Step Scorers::token_lm_step(ModelState state, int token, bool inside) const {
  double log_prob = 0;
  for (int32_t id : plan_.token_lm_ids[static_cast<size_t>(token)]) {
    if (id == plan_.token_lm_space && !inside) continue;
    const auto entry = static_cast<uint32_t>(id);
    if (token_ngram_) {
      const NGram::Step step = token_ngram_->query(state.parts[0], entry);
      log_prob += static_cast<double>(step.log_prob);
      state.parts[0] = step.state;
    } else {
      const LanguageModel::Scored step = token_lm_->score(state, entry);
      log_prob += step.log_prob;
      state = step.state;
    }
    inside = id != plan_.token_lm_space;
  }
  return {factor_of(weighted(plan_.token_lm_weight, log_prob)), state};
}

ShortStep Scorers::hotword_step(uint32_t state, int token, bool inside) const {
  double gain = -hotwords_->potential(state);
  for (int32_t letter : plan_.letters[static_cast<size_t>(token)]) {
    if (letter == boundary && !inside) continue;
    state = hotwords_->step(state, letter);
    gain += hotwords_->found(state);
    inside = letter != boundary;
  }
  return {factor_of(gain + hotwords_->potential(state)), state};
}

Scorers::Word Scorers::best_word(const Context& context) const {
  Word best = {0, context.word, -1};
  if (lexicon_)
    for (int32_t position : lexicon_->words_at(context.node)) {
      Word word = {0, context.word, position};
      if (word_lm_) {
        const auto id = static_cast<uint32_t>(plan_.word_ids[static_cast<size_t>(position)]);
        const LanguageModel::Scored step = word_lm_->score(context.word, id);
        word = {step.log_prob, step.state, position};
      }
      if (best.position < 0 || word_value(context.letters, word) > word_value(context.letters, best)) best = word;
    }
  if (best.position < 0 && word_lm_) {
    const LanguageModel::Scored step = word_lm_->score(context.word, word_lm_->unknown());
    best = {step.log_prob, step.state, -1};
  }
  return best;
}

// The score of a finished word, nats.
double Scorers::word_value(int32_t letters, const Word& word) const {
  const double value = weighted(plan_.word_lm_weight, word.log_prob) + plan_.word_bonus;
  return is_oov(word.position) ? value - plan_.oov_charge * letters : value;
}

Step Scorers::end_word(const Context& context) const {
  const Word word = best_word(context);
  if (is_oov(word.position) && std::isinf(plan_.oov_charge)) return {0, word.state};
  Context counted = context;
  if (context.node == Lexicon::outside)
    counted.letters = 0;  // outside of the lexicon the potential contains the same charge for letters
  const double potential = lexicon_ ? lexicon_->potential(counted.node, counted.letters) : 0;
  return {factor_of(word_value(counted.letters, word) - potential), word.state};
}

float Scorers::end_word_bound(const Context& context) const {
  if (context.letters == 0) return 1;
  return lexicon_ ? lexicon_->ending_bound(context.node, context.letters) : std::max(factor_of(plan_.word_bonus), 1.0f);
}

float Scorers::more_letters_bound(const Context& context) const {
  return lexicon_ ? std::max(lexicon_->leaving(context.node), 1.0f) : 1.0f;
}

float Scorers::letters(Context& context, int token, const Step* ended) const {
  float factor = 1;
  for (int32_t letter : plan_.letters[static_cast<size_t>(token)]) {
    if (letter != boundary) {
      if (lexicon_) factor *= lexicon_->step(context.node, letter);
      ++context.letters;
    } else if (context.letters > 0) {
      const Step step = ended ? *ended : end_word(context);
      ended = nullptr;
      factor *= step.factor;
      context.word = step.state;
      context.node = Trie::root;
      context.letters = 0;
    }
  }
  return factor;
}

double Scorers::token_lm_end(const ModelState& state) const {
  return token_lm_ && plan_.lm_boundary ? token_lm_->score(state, token_lm_->end()).log_prob : 0;
}

double Scorers::word_lm_end(const ModelState& state) const {
  return word_lm_ && plan_.lm_boundary ? word_lm_->score(state, word_lm_->end()).log_prob : 0;
}

double Scorers::finish(const Context& context) const {
  double value = 0;
  ModelState word_state = context.word;
  if (plan_.has_words && context.letters > 0) {
    const Word word = best_word(context);
    const double gained = word_value(context.letters, word);
    if (std::isinf(gained)) return gained;
    value += gained - (lexicon_ ? lexicon_->potential(context.node, context.letters) : 0);
    word_state = word.state;
  }
  value += weighted(plan_.word_lm_weight, word_lm_end(word_state)) +
           weighted(plan_.token_lm_weight, token_lm_end(context.token_lm));
  if (hotwords_) {
    value -= hotwords_->potential(context.hotword);
    if (plan_.has_words && context.letters > 0) value += hotwords_->found(hotwords_->step(context.hotword, boundary));
  }
  return value;
}

void Scorers::close_word(Context& context, Parts& parts) const {
  const Word word = best_word(context);
  parts.word_lm_log_prob += word.log_prob;
  parts.words.push_back(word.position);
  if (is_oov(word.position)) parts.oov_letters += context.letters;
  context.word = word.state;
  context.node = Trie::root;
  context.letters = 0;
}

// Adds one token to the parts. Where a word ends, end_word() closes it.
template <class EndWord>
void Scorers::walk(Context& context, int token, Parts& parts, EndWord&& end_word) const {
  const bool inside = context.letters > 0;
  if (token_lm_) {
    bool within = inside;
    for (int32_t id : plan_.token_lm_ids[static_cast<size_t>(token)]) {
      if (id == plan_.token_lm_space && !within) continue;
      const LanguageModel::Scored step = token_lm_->score(context.token_lm, static_cast<uint32_t>(id));
      parts.token_lm_log_prob += step.log_prob;
      context.token_lm = step.state;
      within = id != plan_.token_lm_space;
    }
  }
  for (int32_t letter : plan_.letters[static_cast<size_t>(token)]) {
    if (letter == boundary && context.letters == 0) continue;
    if (hotwords_) {
      context.hotword = hotwords_->step(context.hotword, letter);
      parts.hotwords += hotwords_->found(context.hotword);
    }
    if (letter == boundary) {
      end_word();
    } else {
      if (lexicon_) lexicon_->step(context.node, letter);
      ++context.letters;
    }
  }
}

Parts Scorers::next(Context& context, int token) const {
  Parts parts;
  walk(context, token, parts, [&] { close_word(context, parts); });
  return parts;
}

Parts Scorers::end(Context context) const {
  Parts parts;
  if (plan_.has_words && context.letters > 0) {
    if (hotwords_) parts.hotwords += hotwords_->found(hotwords_->step(context.hotword, boundary));
    close_word(context, parts);
  }
  parts.word_lm_log_prob += word_lm_end(context.word);
  parts.token_lm_log_prob += token_lm_end(context.token_lm);
  return parts;
}

Parts Scorers::parts(std::span<const int32_t> tokens) const {
  WordOptions known;
  return parts(tokens, known);
}

Parts Scorers::parts(std::span<const int32_t> tokens, WordOptions& known) const {
  Parts parts;
  Context context = start();
  std::vector<WordEnd> ends;
  const auto end_word = [&] {
    ends.push_back({context.node, context.letters});
    context.node = Trie::root;
    context.letters = 0;
  };
  for (int32_t token : tokens) walk(context, token, parts, end_word);
  if (plan_.has_words && context.letters > 0) {
    if (hotwords_) parts.hotwords += hotwords_->found(hotwords_->step(context.hotword, boundary));
    end_word();
  }
  parts.token_lm_log_prob += token_lm_end(context.token_lm);
  choose_words(ends, parts, known);
  return parts;
}

double Scorers::fusion_score(const Parts& parts, size_t tokens) const {
  // The charge may be ∞, and 0 · ∞ must be 0 here.
  const double charge = parts.oov_letters ? plan_.oov_charge * static_cast<double>(parts.oov_letters) : 0;
  return weighted(plan_.token_lm_weight, parts.token_lm_log_prob) +
         weighted(plan_.word_lm_weight, parts.word_lm_log_prob) +
         plan_.word_bonus * static_cast<double>(parts.words.size()) + plan_.token_bonus * static_cast<double>(tokens) -
         charge + parts.hotwords;
}

void Scorers::write(std::span<const int32_t> tokens, std::span<const int32_t> words, std::vector<int32_t>& text) const {
  const bool named = plan_.word_names.size() > 0;
  size_t word = 0, begin = 0;  // the current word: its number, and where it begins
  bool inside = false;
  text.clear();
  const auto end_word = [&] {
    if (!inside) return;
    inside = false;
    if (named && words[word] >= 0) {
      const auto name = plan_.word_names[static_cast<size_t>(words[word])];
      text.resize(begin);
      text.insert(text.end(), name.begin(), name.end());
    }
    ++word;
  };
  for (int32_t token : tokens)
    for (int32_t letter : (named ? plan_.class_names : plan_.letters)[static_cast<size_t>(token)]) {
      if (letter == boundary) {
        end_word();
        continue;
      }
      if (!inside && !text.empty() && plan_.has_words) text.push_back(boundary);
      if (!inside) begin = text.size();
      inside = true;
      text.push_back(letter);
    }
  if (plan_.has_words) end_word();
}

}  // namespace ctckit
