// The choice among words that are spelled alike ("too", "two"), by the whole text.
//
// A word model scores a word by the words before it, so the best choice may depend on the words after it. This is a
// shortest path: for each state of the model after a word, the choice of all words so far with the best score (Viterbi).
// At most `most_choices` states are kept.
#include <algorithm>

#include "lm/ngram.hpp"
#include "scorers/scorers.hpp"

namespace ctckit {

namespace {

constexpr size_t most_choices = 32;

struct Choice {
  uint32_t state;
  double score, log_prob;  // of all words so far
  int32_t word;            // position in SearchPlan::words, or −1
  int32_t previous;        // choice of the word before
};

class Choices {
 public:
  explicit Choices(uint32_t state) : all_{{state, 0, 0, -1, -1}} {}

  // The choices for the latest word: [first, last).
  size_t first() const { return first_; }
  size_t last() const { return all_.size(); }
  const Choice& operator[](size_t k) const { return all_[k]; }

  void begin_word() { next_ = all_.size(); }
  // Of choices with the same state the best is kept, the first of equals.
  void add(const Choice& choice) {
    const auto from = all_.begin() + static_cast<std::ptrdiff_t>(next_);
    const auto same = std::find_if(from, all_.end(), [&](const Choice& each) { return each.state == choice.state; });
    if (same == all_.end()) {
      all_.push_back(choice);
    } else if (choice.score > same->score) {
      *same = choice;
    }
  }
  void end_word() {
    first_ = next_;
    if (all_.size() - first_ <= most_choices) return;
    std::stable_sort(all_.begin() + static_cast<std::ptrdiff_t>(first_), all_.end(),
                     [](const Choice& a, const Choice& b) { return a.score > b.score; });
    all_.resize(first_ + most_choices);
  }

 private:
  std::vector<Choice> all_;
  size_t first_ = 0, next_ = 0;
};

}  // namespace

void Scorers::choose_words(std::span<const WordEnd> ends, Parts& parts) const {
  const NGram* const model = plan_.word_lm.get();
  Choices choices(start().word);
  for (const WordEnd& end : ends) {
    const auto known = lexicon_ ? lexicon_->words_at(end.node) : std::span<const int32_t>{};
    const size_t first = choices.first(), last = choices.last();
    choices.begin_word();
    for (size_t k = first; k < last; ++k) {
      const Choice before = choices[k];
      const auto add = [&](int32_t word, uint32_t id) {
        const NGram::Step step = model ? model->query(before.state, id) : NGram::Step{0, before.state};
        const double score = word_value(end.letters, {step.log_prob, step.state, word});
        choices.add({step.state, before.score + score, before.log_prob + static_cast<double>(step.log_prob), word,
                     static_cast<int32_t>(k)});
      };
      for (int32_t word : known) add(word, static_cast<uint32_t>(plan_.word_ids[static_cast<size_t>(word)]));
      if (known.empty()) add(-1, model ? model->unknown() : 0);
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
