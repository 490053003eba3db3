// The choice among words that are spelled alike ("too", "two"), by the whole text.
//
// A word model scores a word by the words before it, so the best choice may depend on the words after it. This is a
// shortest path: for each state of the model after a word, the choice of all words so far with the best score (Viterbi).
// At most `most_choices` states are kept, and as many words of a spelling.
#include <algorithm>
#include <functional>
#include <unordered_map>

#include "scorers/scorers.hpp"

namespace ctckit {

namespace {

constexpr size_t most_choices = 32;

struct Choice {
  ModelState state;
  double score, log_prob;  // of all words so far
  int32_t word;            // position in SearchPlan::words, or −1
  int32_t previous;        // choice of the word before
};

class Choices {
  struct Hash {
    size_t operator()(const ModelState& state) const { return hash_of(state) * 0x9E3779B97F4A7C15u >> 16; }
  };

 public:
  explicit Choices(const ModelState& state) : all_{{state, 0, 0, -1, -1}} {}

  // The choices for the latest word: [first, last).
  size_t first() const { return first_; }
  size_t last() const { return all_.size(); }
  const Choice& operator[](size_t k) const { return all_[k]; }

  void begin_word() {
    next_ = all_.size();
    places_.clear();
  }
  // Of choices with the same state the best is kept, the first of equals.
  void add(const Choice& choice) {
    const auto [place, is_new] = places_.try_emplace(choice.state, all_.size());
    if (is_new) {
      all_.push_back(choice);
    } else if (Choice& same = all_[place->second]; choice.score > same.score) {
      same = choice;
    }
  }
  void add_only(const Choice& choice) { all_.push_back(choice); }
  void end_word() {
    first_ = next_;
    if (all_.size() - first_ <= most_choices) return;
    std::stable_sort(all_.begin() + static_cast<std::ptrdiff_t>(first_), all_.end(),
                     [](const Choice& a, const Choice& b) { return a.score > b.score; });
    all_.resize(first_ + most_choices);
  }

 private:
  std::vector<Choice> all_;
  std::unordered_map<ModelState, size_t, Hash> places_;  // of the states after the latest word
  size_t first_ = 0, next_ = 0;
};

}  // namespace

// The words that a spelling may be after a state: at most `most_choices`, the best ones.
const std::vector<WordOption>& Scorers::options(const ModelState& state, const WordEnd& end, WordOptions& known) const {
  const bool shared = end.node != Lexicon::outside;  // outside of the lexicon the charge depends on the letters
  std::vector<WordOption>& found = shared ? known.of[{state, end.node}] : known.unknown;
  if (shared && !found.empty()) return found;
  found.clear();
  const LanguageModel* const model = word_lm_;
  const auto add = [&](int32_t word, uint32_t id) {
    const LanguageModel::Scored step = model ? model->score(state, id) : LanguageModel::Scored{0, state};
    const Word scored = {step.log_prob, step.state, word};
    found.push_back({step.state, step.log_prob, word_value(end.letters, scored), word});
  };
  const auto words = lexicon_ ? lexicon_->words_at(end.node) : std::span<const int32_t>{};
  for (int32_t word : words) add(word, static_cast<uint32_t>(plan_.word_ids[static_cast<size_t>(word)]));
  if (words.empty()) add(-1, model ? model->unknown() : 0);
  std::ranges::stable_sort(found, std::ranges::greater{}, &WordOption::score);
  found.resize(std::min(found.size(), most_choices));
  return found;
}

void Scorers::choose_words(std::span<const WordEnd> ends, Parts& parts, WordOptions& known) const {
  Choices choices(start().word);
  for (const WordEnd& end : ends) {
    const size_t first = choices.first(), last = choices.last();
    choices.begin_word();
    for (size_t k = first; k < last; ++k) {
      const Choice before = choices[k];
      const std::vector<WordOption>& found = options(before.state, end, known);
      for (const WordOption& each : found) {
        const Choice choice = {each.state, before.score + each.score, before.log_prob + each.log_prob, each.word,
                               static_cast<int32_t>(k)};
        if (found.size() == 1 && last - first == 1) {
          choices.add_only(choice);
        } else {
          choices.add(choice);
        }
      }
    }
    choices.end_word();
  }
  size_t best = choices.first();
  const auto total = [&](size_t k) {
    return choices[k].score + weighted(plan_.word_lm_weight, word_lm_end(choices[k].state));
  };
  for (size_t k = best + 1; k < choices.last(); ++k)
    if (total(k) > total(best)) best = k;
  parts.word_lm_log_prob += choices[best].log_prob + word_lm_end(choices[best].state);
  parts.words.resize(ends.size());
  for (size_t n = ends.size(); n-- > 0; best = static_cast<size_t>(choices[best].previous)) {
    parts.words[n] = choices[best].word;
    if (is_oov(parts.words[n])) parts.oov_letters += ends[n].letters;
  }
}

}  // namespace ctckit
