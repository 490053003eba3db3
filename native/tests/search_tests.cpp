// Random searches on every instruction set, compared with a search in dictionaries that shares no line with the
// kernels, with the exact scores of the texts, and with themselves for other chunks, batches and numbers of threads.
//
// Runs under the sanitizers: every array has exactly the promised size.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/checksum.hpp"
#include "core/threads.hpp"
#include "lm/io.hpp"
#include "lm/session.hpp"
#include "scorers/fusion_path.hpp"
#include "search/candidates.hpp"
#include "search/decoder.hpp"
#include "search/state.hpp"
#include "simd/dispatch.hpp"

namespace {

using ctckit::SearchPlan;
using Text = std::vector<int32_t>;
constexpr double infinity = std::numeric_limits<double>::infinity();

std::mt19937 random_bits;
int seed = 0;
int forged_searches = 0;  // that could be used: not every forgery is noticed
int known_gains = 0, unknown_gains = 0, words_found = 0;

int integer(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_bits); }
double real(double least, double most) { return std::uniform_real_distribution<double>(least, most)(random_bits); }
bool chance(double probability) { return real(0, 1) < probability; }

void expect(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "FAILED: %s (search_tests, round %d, %s)\n", what.c_str(), seed,
               ctckit::instruction_set().c_str());
  std::exit(1);
}

double log_add(double a, double b) {
  const double top = std::max(a, b);
  return top == -infinity ? top : top + std::log1p(std::exp(std::min(a, b) - top));
}

void append(ctckit::Ragged& lists, const std::vector<int32_t>& list) {
  lists.values.insert(lists.values.end(), list.begin(), list.end());
  lists.offsets.push_back(static_cast<int64_t>(lists.values.size()));
}

// A language model of the words "1" … "n": all unigrams, some bigrams.
std::shared_ptr<const ctckit::NGram> random_model(int words) {
  std::string unigrams = "-1.5\t<unk>\t-0.2\n-99\t<s>\t-0.4\n-1.1\t</s>\n", bigrams;
  int pairs = 0;
  for (int a = 0; a <= words; ++a) {
    const std::string first = a == 0 ? "<s>" : std::to_string(a);
    if (a > 0) unigrams += std::to_string(real(-3, -0.1)) + "\t" + first + "\t" + std::to_string(real(-1, 0)) + "\n";
    for (int b = 1; b <= words; ++b)
      if (chance(0.5))
        bigrams += std::to_string(real(-3, -0.1)) + "\t" + first + " " + std::to_string(b) + "\n", ++pairs;
  }
  return ctckit::ngram_from_arpa("\\data\\\nngram 1=" + std::to_string(words + 3) +
                                 "\nngram 2=" + std::to_string(pairs) + "\n\n\\1-grams:\n" + unigrams +
                                 "\n\\2-grams:\n" + bigrams + "\n\\end\\\n");
}

// A model that is asked in sessions. Its answers are those of an n-gram model.
class AskedInSessions : public ctckit::LanguageModel {
 public:
  explicit AskedInSessions(std::shared_ptr<const ctckit::NGram> model) : model_(std::move(model)) {}

  static inline int left = -1;  // queries until one throws
  static inline size_t asked = 0, together = 0;

  uint32_t unknown() const noexcept override { return model_->unknown(); }
  uint32_t end() const noexcept override { return model_->end(); }
  double unigram(uint32_t word) const noexcept override { return model_->unigram(word); }
  ctckit::ModelState first_state() const noexcept override { return model_->first_state(); }
  Scored score(const ctckit::ModelState& state, uint32_t word) const override { return model_->score(state, word); }
  std::shared_ptr<ctckit::Session> session() const override { return std::make_shared<Asking>(*this); }

 private:
  class Asking : public ctckit::Session {
   public:
    explicit Asking(const AskedInSessions& model) : model_(model.model_) {}

    uint32_t unknown() const noexcept override { return model_->unknown(); }
    uint32_t end() const noexcept override { return model_->end(); }
    double unigram(uint32_t word) const noexcept override { return model_->unigram(word); }
    ctckit::ModelState first_state() const noexcept override { return model_->first_state(); }

   private:
    std::vector<Scored> ask(std::span<const Query> queries) const override {
      std::vector<Scored> answers;
      for (const Query& each : queries) {
        if (left >= 0 && left-- == 0) throw std::runtime_error("the model fails");
        answers.push_back(model_->score(each.state, each.word));
      }
      for (const Query& each : queries)
        expect(seen_.emplace(each.state.parts, each.word).second, "each query is answered once");
      asked += queries.size();
      if (queries.size() > 1) together += queries.size();
      return answers;
    }
    void keep_states(std::span<const ctckit::ModelState>) const override { seen_.clear(); }

    const std::shared_ptr<const ctckit::NGram> model_;
    mutable std::set<std::pair<std::array<uint32_t, 4>, uint32_t>> seen_;
  };

  const std::shared_ptr<const ctckit::NGram> model_;
};

// The n-gram model, or the same asked in sessions.
std::shared_ptr<const ctckit::LanguageModel> maybe_in_sessions(const std::shared_ptr<const ctckit::NGram>& model) {
  if (chance(0.7)) return model;
  return std::make_shared<const AskedInSessions>(model);
}

std::vector<int32_t> random_word(int letters) {
  std::vector<int32_t> word(static_cast<size_t>(integer(1, 3)));
  for (int32_t& each : word) each = integer(1, letters);
  return word;
}

SearchPlan plain_plan(int classes, int beam_width) {
  SearchPlan plan{};
  plan.classes = classes;
  plan.blank = integer(0, classes - 1);
  plan.beam_width = beam_width;
  plan.token_threshold = plan.beam_threshold = -infinity;
  plan.token_lm_space = -1;
  plan.lm_boundary = chance(0.8);
  for (int c = 0; c < classes; ++c) append(plan.letters, c == plan.blank ? Text{} : Text{c + 1});
  return plan;
}

void add_words(SearchPlan& plan, int letters) {
  plan.word_bonus = real(-1, 1);
  if (chance(0.3)) return;
  plan.has_lexicon = true;
  plan.oov_charge = chance(0.3) ? infinity : real(0, 2);
  const int words = integer(1, 6);
  for (int word = 0; word < words; ++word) append(plan.words, random_word(letters));
  plan.word_ids.assign(plan.words.size(), -1);
  if (chance(0.3)) return;
  const auto model = random_model(words);
  plan.word_lm = maybe_in_sessions(model);
  plan.word_lm_weight = real(0, 1.5);
  for (size_t word = 0; word < plan.word_ids.size(); ++word)
    plan.word_ids[word] = static_cast<int32_t>(model->find(std::to_string(word + 1)));
}

void add_hotwords(SearchPlan& plan, int letters) {
  std::map<std::vector<int32_t>, float> patterns;
  for (int n = integer(1, 5); n > 0; --n) {
    std::vector<int32_t> pattern = random_word(letters);
    if (plan.has_words) {
      pattern.insert(pattern.begin(), ctckit::boundary);
      pattern.push_back(ctckit::boundary);
    }
    patterns[pattern] = static_cast<float>(real(-2, 5));
  }
  for (const auto& [pattern, weight] : patterns) {
    append(plan.hotwords, pattern);
    plan.hotword_weights.push_back(weight);
  }
}

// Tokens of one or several letters, with or without a word boundary; any of the language models.
SearchPlan random_plan(int beam_width) {
  const int letters = integer(1, 3);
  SearchPlan plan = plain_plan(integer(2, 6), beam_width);
  plan.has_words = chance(0.6);
  plan.letters = {};
  for (int c = 0; c < plan.classes; ++c) {
    std::vector<int32_t> spelled = random_word(letters);
    if (plan.has_words && chance(0.3)) spelled.insert(spelled.begin(), ctckit::boundary);
    if (plan.has_words && chance(0.2)) spelled = {ctckit::boundary};
    if (plan.has_words && chance(0.1)) spelled.push_back(ctckit::boundary);
    append(plan.letters, c == plan.blank ? Text{} : spelled);
  }
  if (plan.has_words) add_words(plan, letters);
  if (chance(0.5)) add_hotwords(plan, letters);
  if (chance(0.4)) plan.token_bonus = real(-1, 1);
  if (chance(0.5)) {
    const auto model = random_model(plan.classes);
    plan.token_lm = maybe_in_sessions(model);
    plan.token_lm_weight = real(0, 1.5);
    for (int c = 0; c < plan.classes; ++c)
      append(plan.token_lm_ids, c == plan.blank ? Text{} : Text{static_cast<int32_t>(model->find(std::to_string(c)))});
  }
  return plan;
}

std::vector<float> random_emissions(int frames, int classes, int blank) {
  std::vector<float> emissions;
  const double spread = chance(0.5) ? 1 : 4;
  for (int t = 0; t < frames; ++t) {
    std::vector<double> frame(static_cast<size_t>(classes));
    double sum = -infinity;
    for (int c = 0; c < classes; ++c) {
      const bool masked = c != blank && chance(0.1);
      frame[static_cast<size_t>(c)] = masked ? -infinity : spread * real(-2, 2);
      sum = log_add(sum, frame[static_cast<size_t>(c)]);
    }
    for (double each : frame) emissions.push_back(static_cast<float>(each - sum));
  }
  return emissions;
}

struct Masses {
  double blank = -infinity, label = -infinity;
  double total() const { return log_add(blank, label); }
};

// The same search, in dictionaries.
std::map<Text, Masses> dictionary_search(const SearchPlan& plan, const std::vector<float>& emissions) {
  std::map<Text, Masses> beam = {{{}, {0, -infinity}}};
  for (size_t at = 0; at < emissions.size(); at += static_cast<size_t>(plan.classes)) {
    std::map<Text, Masses> next;
    for (const auto& [text, masses] : beam)
      for (int c = 0; c < plan.classes; ++c) {
        const double p = emissions[at + static_cast<size_t>(c)];
        if (c == plan.blank) {
          next[text].blank = log_add(next[text].blank, masses.total() + p);
          continue;
        }
        const bool repeats = !text.empty() && text.back() == c;
        if (repeats) next[text].label = log_add(next[text].label, masses.label + p);
        Text longer = text;
        longer.push_back(c);
        next[longer].label = log_add(next[longer].label, (repeats ? masses.blank : masses.total()) + p);
      }
    std::vector<std::pair<double, Text>> ranked;
    for (const auto& [text, masses] : next)
      if (masses.total() > -infinity) ranked.emplace_back(-masses.total(), text);
    std::sort(ranked.begin(), ranked.end());
    beam.clear();
    for (size_t k = 0; k < std::min(ranked.size(), static_cast<size_t>(plan.beam_width)); ++k)
      beam[ranked[k].second] = next[ranked[k].second];
  }
  return beam;
}

using Rows = ctckit::Rows<float>;

Rows frames_of(const SearchPlan& plan, const std::vector<float>& emissions) {
  return {emissions.data(), plan.classes, static_cast<int64_t>(emissions.size()) / plan.classes, plan.classes,
          plan.blank};
}

void agrees_with_dictionaries() {
  const SearchPlan plan = plain_plan(integer(2, 40), integer(1, 40));
  const std::vector<float> emissions = random_emissions(integer(0, 12), plan.classes, plan.blank);
  const auto expected = dictionary_search(plan, emissions);
  ctckit::Search search(std::make_shared<ctckit::Scorers>(plan));
  search.push(emissions.data(), plan.classes, static_cast<int64_t>(emissions.size()) / plan.classes);
  const auto found = search.best(1000, true);
  expect(found.size() == expected.size(), "as many texts as dictionaries find");
  for (const auto& each : found) {
    const auto known = expected.find(each.tokens);
    expect(known != expected.end(), "the texts that dictionaries find");
    expect(std::abs(known->second.total() - each.score) < 1e-4, "their masses");
  }
}

// The weights of all hotwords in a text, found by comparing at every position.
double naive_hotwords(const SearchPlan& plan, const Text& text) {
  std::vector<int32_t> written;
  if (plan.has_words) written.push_back(ctckit::boundary);
  for (int32_t token : text)
    for (int32_t letter : plan.letters[static_cast<size_t>(token)])
      if (letter != ctckit::boundary || written.back() != ctckit::boundary) written.push_back(letter);
  if (plan.has_words && written.back() != ctckit::boundary) written.push_back(ctckit::boundary);
  double sum = 0;
  for (size_t k = 0; k < plan.hotwords.size(); ++k) {
    const auto pattern = plan.hotwords[k];
    for (size_t at = 0; at + pattern.size() <= written.size(); ++at)
      if (std::equal(pattern.begin(), pattern.end(), written.begin() + static_cast<std::ptrdiff_t>(at)))
        sum += static_cast<double>(plan.hotword_weights[k]);
  }
  return sum;
}

// The score of the scorers for a text after a past, with each word chosen where it ends.
double score_word_by_word(const ctckit::Scorers& scorers, const Text& past, const Text& text) {
  ctckit::Context context = scorers.start();
  for (int32_t token : past) scorers.next(context, token);
  double sum = 0;
  for (int32_t token : text) sum += scorers.fusion_score(scorers.next(context, token), 1);
  return sum + scorers.fusion_score(scorers.end(context), 0);
}

// A beam that holds all texts has their exact scores. The scores of a narrow beam are at most these, and its best text
// may be improved by refinements (search/refinement.hpp), which add a text.
void masses_are_exact_scores() {
  const bool whole = chance(0.5);
  const SearchPlan plan = random_plan(whole ? 20000 : integer(1, 20));
  const std::vector<float> emissions = random_emissions(integer(0, whole ? 4 : 10), plan.classes, plan.blank);
  const ctckit::Decoder decoder(plan);
  ctckit::Search search(decoder.scorers());
  const Rows frames = frames_of(plan, emissions);
  search.push(frames.log_probs, frames.stride, frames.count);
  std::map<Text, double> masses;  // by what is written
  const auto written = [&](const Text& tokens) {
    Text text;
    decoder.scorers()->write(tokens, decoder.scorers()->parts(tokens).words, text);
    return decoder.scorers()->ambiguous() ? text : tokens;
  };
  const ctckit::Scorers& scorers = *decoder.scorers();
  for (const auto& each : search.best(20000, true)) {
    const double fusion = score_word_by_word(scorers, {}, each.tokens);
    const double exact =
        ctckit::log_prob_after(ctckit::Border{}, frames, std::span<const int32_t>(each.tokens)) + fusion;
    expect(each.score <= exact + 1e-3, "a mass is at most the exact score");
    if (whole) expect(each.score > exact - 1e-3, "a whole beam loses nothing");
    const double chosen = scorers.fusion_score(scorers.parts(each.tokens), each.tokens.size());
    expect(chosen > fusion - 1e-6, "words chosen by the whole text are at least as good");
    const double mass = masses.try_emplace(written(each.tokens), -infinity).first->second;
    masses[written(each.tokens)] = log_add(mass, each.score);
  }
  const auto decoded = decoder.decode({frames.log_probs, 0, frames.stride, 1, &frames.count}, 20000);
  const size_t found = masses.size();
  for (const auto& each : decoded[0]) masses.try_emplace(written(each.tokens), each.score);
  expect(!whole || masses.size() == found, "no edit is better than the best of all texts");
  expect(masses.size() <= found + 1, "at most one new text");
  expect(decoded[0].size() == masses.size(), "a batch finds what a search finds");
  double before = infinity;
  for (const auto& each : decoded[0]) {
    expect(each.score <= before + 1e-6, "best first");
    before = each.score;
    expect(std::abs(each.parts.hotwords - naive_hotwords(plan, each.tokens)) < 1e-4, "all hotwords are found");
    // The scorers are those of one token sequence: in the mass each has its own.
    const bool one = !scorers.any() || !scorers.ambiguous();
    if (whole && one) expect(std::abs(masses[written(each.tokens)] - each.score) < 1e-3, "masses are added");
    for (size_t k = 0; k < each.tokens.size(); ++k) {
      const auto& rescored = each.rescored;
      expect(rescored.starts[k] < rescored.ends[k] && rescored.ends[k] <= frames.count, "spans are not empty");
      expect(k == 0 || rescored.ends[k - 1] <= rescored.starts[k], "spans do not overlap");
      expect(rescored.confidences[k] > 0 && rescored.confidences[k] <= 1 + 1e-12, "confidences are in 0..1");
    }
  }
}

// A decoder that shares all but its hotwords with another one gives the same bits as one that was made with them.
void hotwords_of_one_call() {
  const SearchPlan plan = random_plan(integer(1, 20));
  SearchPlan others = plan;
  others.hotwords = {};
  others.hotword_weights.clear();
  if (chance(0.5)) add_hotwords(others, 2);
  const ctckit::Decoder decoder(plan);
  std::unique_ptr<const ctckit::Decoder> shared;
  {
    const ctckit::Decoder base(others);
    shared = std::make_unique<const ctckit::Decoder>(base, plan.hotwords, plan.hotword_weights);
  }
  const std::vector<float> emissions = random_emissions(integer(0, 12), plan.classes, plan.blank);
  const Rows frames = frames_of(plan, emissions);
  const auto texts = [&](const ctckit::Decoder& each) {
    return each.decode({frames.log_probs, 0, frames.stride, 1, &frames.count}, 20)[0];
  };
  const auto expected = texts(decoder), found = texts(*shared);
  expect(found.size() == expected.size(), "as many texts");
  for (size_t k = 0; k < std::min(found.size(), expected.size()); ++k)
    expect(found[k].tokens == expected[k].tokens && found[k].score == expected[k].score, "the same bits");
}

Text random_text(int classes, int most) {
  Text text(static_cast<size_t>(integer(0, most)));
  for (int32_t& each : text) each = integer(1, classes - 1);
  return text;
}

double log_prob_after(const ctckit::Border& border, const Rows& frames, const Text& text) {
  return ctckit::log_prob_after(border, frames, std::span<const int32_t>(text));
}

bool same_log_prob(double a, double b) { return a == b || std::abs(a - b) < 1e-4 * std::max(1.0, std::abs(a)); }

// Cuts, one after another, do not change the log-probability of a text. One with more tokens at its end loses
// the paths that have these before a cut. After a cut, α and β give the log-probabilities of changed texts.
void cuts_keep_the_sum() {
  const int classes = integer(2, 5);
  const std::vector<float> emissions = random_emissions(integer(1, 60), classes, 0);
  const Rows frames{emissions.data(), classes, static_cast<int64_t>(emissions.size()) / classes, classes, 0};
  const Text text = random_text(classes, chance(0.9) ? static_cast<int>(frames.count) / 2 : 70);
  Text longer = text;
  for (int32_t each : random_text(classes, 3)) longer.push_back(each);
  const double whole = log_prob_after({}, frames, text), whole_longer = log_prob_after({}, frames, longer);
  ctckit::Border border;
  Rows rest = frames;
  double mass = 0;
  size_t closed = 0;
  for (int cuts = integer(1, 3); cuts > 0; --cuts) {
    const Text left(text.begin() + static_cast<std::ptrdiff_t>(closed), text.end());
    const int64_t frame = integer(0, static_cast<int>(rest.count));
    const auto count = static_cast<size_t>(integer(0, static_cast<int>(left.size() - border.fixed)));
    const auto agreed = static_cast<size_t>(integer(static_cast<int>(count), static_cast<int>(left.size())));
    border = ctckit::cut(border, rest, std::span<const int32_t>(left), frame, count, agreed);
    mass += border.log_mass, closed += count;
    rest.log_probs = rest.frame(frame), rest.count -= frame;
    if (std::isinf(whole)) break;
  }
  expect(!std::isinf(whole) || std::isinf(mass) || whole == mass, "an impossible text stays impossible");
  if (std::isinf(whole)) return;
  const auto after = [&](const Text& each) {
    return Text(each.begin() + static_cast<std::ptrdiff_t>(closed), each.end());
  };
  expect(same_log_prob(whole, mass + log_prob_after(border, rest, after(text))), "cuts keep the log-probability");
  const double later = mass + log_prob_after(border, rest, after(longer));
  expect(later <= whole_longer + 0.05, "a longer text gains no more than what is left out at the cuts");

  const Text left = after(text);
  ctckit::Passes passes(rest, border.closed(), left, border.column);
  const int count = static_cast<int>(left.size());
  const int from = integer(static_cast<int>(std::min(border.fixed, left.size())), count), to = integer(from, count);
  const Text instead = random_text(classes, 3);
  Text other(left.begin(), left.begin() + from);
  other.insert(other.end(), instead.begin(), instead.end());
  other.insert(other.end(), left.begin() + to, left.end());
  const double gain = passes.gain(static_cast<size_t>(from), static_cast<size_t>(to), instead);
  if (std::isnan(gain)) {
    ++unknown_gains;
    return;
  }
  ++known_gains;
  expect(same_log_prob(log_prob_after(border, rest, other), log_prob_after(border, rest, left) + gain),
         "α and β give the log-probability after a change");
}

// Frames in blocks give the results of the same frames with all classes.
void blocks_of_frames() {
  const int classes = integer(2, 12);
  const auto width = static_cast<size_t>(classes);
  const std::vector<float> emissions = random_emissions(integer(1, 60), classes, 0);
  const Rows all{emissions.data(), classes, static_cast<int64_t>(emissions.size() / width), classes, 0};
  std::vector<float> whole;
  std::vector<Text> names;
  std::vector<std::vector<float>> values;
  std::vector<int64_t> counts;
  int64_t first = 0;
  while (first < all.count && chance(0.7)) {
    counts.push_back(integer(1, static_cast<int>(std::min<int64_t>(all.count - first, 16))));
    Text& kept = names.emplace_back();
    for (int32_t c = 0; c < classes; ++c)
      if (chance(0.4)) kept.push_back(c);
    std::vector<float>& packed = values.emplace_back();
    for (int64_t t = first; t < first + counts.back(); ++t) {
      for (const int32_t c : kept) packed.push_back(all.frame(t)[c]);
      packed.push_back(static_cast<float>(integer(-9, -1)));
      for (int32_t c = 0; c < classes; ++c)
        whole.push_back(std::ranges::binary_search(kept, c) ? all.frame(t)[c] : packed.back());
    }
    first += counts.back();
  }
  std::vector<ctckit::Block> blocks;
  int64_t at = 0;
  for (size_t k = 0; k < counts.size(); at += counts[k++])
    blocks.push_back({at, counts[k], names[k], values[k].data()});
  whole.insert(whole.end(), all.frame(first), all.frame(first) + (all.count - first) * classes);
  const Rows dense{whole.data(), classes, all.count, classes, 0};
  Rows late = all;
  late.log_probs = all.frame(first), late.count -= first;
  const ctckit::Frames frames(late, blocks);
  expect(frames.count == all.count && frames.is_plain() == blocks.empty(), "all frames are there");

  const int64_t start = integer(0, static_cast<int>(all.count)),
                end = integer(static_cast<int>(start), static_cast<int>(all.count));
  const ctckit::Frames part = frames.part(start, end);
  std::vector<float> buffer, columns(static_cast<size_t>(part.count) * 2);
  const Text wanted = {integer(0, classes - 1), integer(0, classes - 1)};
  part.gather(wanted, columns.data());
  for (int64_t t = 0; t < part.count; ++t) {
    const float* const expected = dense.frame(start + t);
    expect(std::equal(expected, expected + classes, part.frame(t, buffer)), "the classes of a frame");
    for (size_t k = 0; k < 2; ++k)
      expect(part.at(t, wanted[k]) == expected[wanted[k]] &&
                 columns[2 * static_cast<size_t>(t) + k] == expected[wanted[k]],
             "one class");
  }

  const Text text = random_text(classes, static_cast<int>(all.count) / 2);
  expect(same_log_prob(ctckit::log_prob_after({}, frames, text), log_prob_after({}, dense, text)), "log p in blocks");
  const ctckit::Alignment found = ctckit::align(frames, text), expected = ctckit::align(dense, text);
  expect(found.starts == expected.starts && found.ends == expected.ends, "the alignment in blocks");
  const auto closed = static_cast<size_t>(integer(0, static_cast<int>(text.size())));
  const ctckit::Border cut = ctckit::cut({}, frames, text, start, closed, closed),
                       same = ctckit::cut({}, dense, std::span<const int32_t>(text), start, closed, closed);
  expect(cut.tokens == same.tokens && cut.fixed == same.fixed, "the tokens of a cut in blocks");
  expect(same_log_prob(cut.log_mass, same.log_mass), "the mass of a cut in blocks");
  const Text left(text.begin() + static_cast<std::ptrdiff_t>(closed), text.end());
  expect(same_log_prob(ctckit::log_prob_after(cut, frames.part(start, all.count), left),
                       ctckit::log_prob_after(same, ctckit::Frames(dense).part(start, all.count), left)),
         "log p after a border in blocks");
}

// The likeliest word that begins with some letters, against all words; and the last tokens of the beam.
void words_that_begin_so() {
  SearchPlan plan = random_plan(integer(1, 20));
  for (int32_t word = 0; plan.has_lexicon && word < static_cast<int32_t>(plan.words.size()); ++word)
    append(plan.word_names, Text{word + 1});
  for (int c = 0; plan.has_lexicon && c < plan.classes; ++c) append(plan.class_names, Text{c + 1});
  const ctckit::Scorers scorers(plan);
  Text letters;
  for (int n = integer(1, 3); n > 0; --n) letters.push_back(integer(1, 3));
  int32_t best = -1;
  const auto log_prob = [&](int32_t word) {
    return plan.word_lm ? plan.word_lm->look_ahead(static_cast<uint32_t>(plan.word_ids[static_cast<size_t>(word)])) : 0;
  };
  for (int32_t word = 0;
       plan.has_lexicon && plan.word_names.size() > 0 && word < static_cast<int32_t>(plan.words.size()); ++word) {
    const std::span<const int32_t> spelling = plan.words[static_cast<size_t>(word)];
    if (spelling.size() < letters.size() || !std::equal(letters.begin(), letters.end(), spelling.begin())) continue;
    if (best < 0 || log_prob(word) > log_prob(best)) best = word;
  }
  expect(scorers.likeliest_word(letters) == best, "the likeliest word that begins so");
  words_found += best >= 0;

  const std::vector<float> emissions = random_emissions(integer(0, 12), plan.classes, plan.blank);
  const Rows frames = frames_of(plan, emissions);
  ctckit::Search search(std::make_shared<ctckit::Scorers>(plan));
  search.push(frames.log_probs, frames.stride, frames.count);
  const auto count = static_cast<size_t>(integer(1, 6));
  std::set<int32_t> recent;
  Text common;
  bool is_first = true;
  for (const ctckit::Found& each : search.best(1000, false)) {
    const Text& tokens = each.tokens;
    recent.insert(tokens.end() - static_cast<std::ptrdiff_t>(std::min(count, tokens.size())), tokens.end());
    common.resize(static_cast<size_t>(std::ranges::mismatch(common, tokens).in1 - common.begin()));
    if (is_first) common = tokens;
    is_first = false;
  }
  expect(search.recent(count) == Text(recent.begin(), recent.end()), "the last tokens of the beam");
  expect(search.stable() == common, "the tokens that all texts begin with");
}

// The change of the score by another token, or by none, against scores of the whole texts.
void changes_of_one_token() {
  const SearchPlan plan = random_plan(1);
  const ctckit::Scorers scorers(plan);
  const auto random_text = [&](int most) {
    Text text;
    for (int n = integer(0, most); n > 0; --n) text.push_back(integer(0, plan.classes - 1));
    std::erase(text, plan.blank);
    return text;
  };
  const Text past = random_text(4);
  const auto score = [&](const Text& text) { return score_word_by_word(scorers, past, text); };
  Text text = random_text(20);
  if (std::isinf(score(text))) return;
  ctckit::FusionPath path(scorers, past, text);
  for (int n = 0; n < 20 && !text.empty(); ++n) {
    const int position = integer(0, static_cast<int>(text.size()) - 1), token = integer(0, plan.classes - 1);
    Text changed = text;
    if (token == plan.blank) {
      changed.erase(changed.begin() + position);
    } else {
      changed[static_cast<size_t>(position)] = token;
    }
    const double gain = path.gain(static_cast<size_t>(position), token), expected = score(changed) - score(text);
    expect(std::isinf(expected) ? gain == expected : std::abs(gain - expected) < 1e-6, "the gain of a change");
    if (std::isinf(expected)) continue;
    path.change(static_cast<size_t>(position), token);
    text = changed;
  }
}

// The confidences of a rescored text, computed once more on their own; then with a wildcard among the tokens.
void confidences_stand_alone() {
  const SearchPlan plan = random_plan(integer(1, 5));
  const std::vector<float> emissions = random_emissions(integer(1, 40), plan.classes, plan.blank);
  const ctckit::Decoder decoder(plan);
  const Rows frames = frames_of(plan, emissions);
  const auto items = decoder.decode({frames.log_probs, 0, frames.stride, 1, &frames.count}, 1);
  for (const auto& each : items[0]) {
    const auto& rescored = each.rescored;
    const ctckit::Spans spans{rescored.starts, rescored.ends};
    std::vector<double> found(each.tokens.size(), -1);
    ctckit::confidences_of_many(frames, each.tokens, spans, found);
    expect(found == rescored.confidences, "confidences are those of the description");
    if (each.tokens.empty()) continue;
    Text tokens = each.tokens;
    const auto wild = static_cast<size_t>(integer(0, static_cast<int>(tokens.size()) - 1));
    tokens[wild] = -1;
    ctckit::confidences_of_many(frames, tokens, spans, found);
    for (size_t k = 0; k < tokens.size(); ++k)
      expect(k == wild ? std::isnan(found[k]) : found[k] > 0 && found[k] <= 1 + 1e-12,
             "a wildcard has none, others do");
    for (size_t k = 0; k < tokens.size(); ++k)
      if (k + 1 < wild || k > wild + 1) expect(found[k] == rescored.confidences[k], "only its neighbours change");
  }
}

bool same(const std::vector<ctckit::Found>& a, const std::vector<ctckit::Found>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& one, const auto& other) {
           return one.tokens == other.tokens && one.score == other.score;
         });
}

// Chunks, a reused search, and a search that forgets tokens on the way give the same bits.
void chunks_and_forgetting() {
  const SearchPlan plan = chance(0.5) ? random_plan(integer(1, 30)) : plain_plan(integer(2, 6), integer(1, 30));
  const auto scorers = std::make_shared<ctckit::Scorers>(plan);
  const std::vector<float> emissions = random_emissions(integer(1, 60), plan.classes, plan.blank);
  const int64_t frames = static_cast<int64_t>(emissions.size()) / plan.classes;
  ctckit::Search whole(scorers), chunked(scorers);
  chunked.push(emissions.data(), plan.classes, std::min<int64_t>(frames, 5));
  chunked.reset();
  whole.push(emissions.data(), plan.classes, frames);
  Text forgotten;
  for (int64_t t = 0; t < frames;) {
    const int64_t count = std::min<int64_t>(integer(1, 7), frames - t);
    chunked.push(emissions.data() + t * plan.classes, plan.classes, count);
    t += count;
    const Text stable = chunked.stable();
    const auto some = static_cast<size_t>(integer(0, static_cast<int>(stable.size())));
    forgotten.insert(forgotten.end(), stable.begin(), stable.begin() + static_cast<std::ptrdiff_t>(some));
    chunked.forget(some);
  }
  auto rest = chunked.best(50, true);
  for (auto& each : rest) each.tokens.insert(each.tokens.begin(), forgotten.begin(), forgotten.end());
  expect(same(rest, whole.best(50, true)), "chunks and forgetting change nothing");

  const auto best = whole.best(1, false);
  if (best.empty()) return;
  const Text prefix(best[0].tokens.begin(),
                    best[0].tokens.begin() + integer(0, static_cast<int>(best[0].tokens.size())));
  whole.keep_only(prefix, 0, std::numeric_limits<int64_t>::max());
  for (const auto& each : whole.best(50, false))
    expect(each.tokens.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), each.tokens.begin()),
           "only what begins with the prefix is kept");
  expect(whole.best(1, false)[0].tokens == best[0].tokens, "the best is kept");
  whole.push(emissions.data(), plan.classes, 1);
}

// Any calls, with frames that come round again.
void use(ctckit::Search& search, const SearchPlan& plan, const std::vector<float>& emissions, int calls) {
  const int64_t frames = static_cast<int64_t>(emissions.size()) / plan.classes;
  for (; calls > 0; --calls) {
    const int64_t from = integer(0, static_cast<int>(frames) - 1);
    search.push(emissions.data() + from * plan.classes, plan.classes, std::min<int64_t>(integer(1, 7), frames - from));
    const Text stable = search.stable();
    if (chance(0.3)) search.forget(static_cast<size_t>(integer(0, static_cast<int>(stable.size()))));
    const auto best = search.best(3, chance(0.5));
    if (!best.empty() && chance(0.1)) search.keep_only(best.back().tokens, 0, integer(0, 20));
  }
}

// A search that is saved and restored continues with the same bits, up to the bytes that it would be saved as.
void saved_and_restored() {
  const SearchPlan plan = chance(0.7) ? random_plan(integer(1, 30)) : plain_plan(integer(2, 40), integer(1, 40));
  const auto scorers = std::make_shared<ctckit::Scorers>(plan);
  const std::vector<float> emissions = random_emissions(integer(1, 40), plan.classes, plan.blank);
  ctckit::Search search(scorers);
  use(search, plan, emissions, integer(0, 12));
  const std::string saved = ctckit::state_bytes(search);
  ctckit::Search restored(scorers, ctckit::state_from_bytes(saved, *scorers));
  expect(ctckit::state_bytes(restored) == saved, "a restored search is saved as the same bytes");
  expect(same(restored.best(50, true), search.best(50, true)), "a restored search has the same texts");
  const auto again = random_bits;
  use(search, plan, emissions, 12);
  random_bits = again;
  use(restored, plan, emissions, 12);
  expect(ctckit::state_bytes(restored) == ctckit::state_bytes(search),
         "a restored search continues with the same bits");
}

// The same bits with the n-gram models asked in sessions and directly. A model that throws leaves the search as it was.
void sessions_change_nothing() {
  SearchPlan plan = random_plan(integer(1, 20));
  const auto unigram_model = random_model(plan.classes);
  plan.token_lm_ids = {};
  plan.token_lm_weight = 1;
  for (int c = 0; c < plan.classes; ++c) {
    Text asked;
    for (int n = c == plan.blank ? 0 : integer(1, 3); n > 0; --n)
      asked.push_back(static_cast<int32_t>(unigram_model->find(std::to_string(integer(1, plan.classes)))));
    append(plan.token_lm_ids, asked);
  }
  SearchPlan in_sessions = plan;
  plan.token_lm = unigram_model;
  in_sessions.token_lm = std::make_shared<const AskedInSessions>(unigram_model);
  const std::vector<float> emissions = random_emissions(integer(1, 40), plan.classes, plan.blank);
  const int64_t frames = static_cast<int64_t>(emissions.size()) / plan.classes;
  ctckit::Search direct(std::make_shared<ctckit::Scorers>(plan));
  ctckit::Search asking(std::make_shared<ctckit::Scorers>(in_sessions));
  expect(asking.scorers()->has_sessions(), "the search has a session");
  int failures = 0;
  for (int64_t t = 0; t < frames;) {
    const int64_t count = std::min<int64_t>(integer(1, 7), frames - t);
    const float* const at = emissions.data() + t * plan.classes;
    AskedInSessions::left = chance(0.3) ? integer(0, 20) : -1;
    const std::string before = ctckit::state_bytes(asking);
    try {
      asking.push(at, plan.classes, count);
    } catch (const std::runtime_error&) {
      ++failures;
      expect(ctckit::state_bytes(asking) == before, "a model that throws leaves the search as it was");
      if (chance(0.5)) asking.tidy_sessions();
      continue;  // the same frames again
    }
    direct.push(at, plan.classes, count);
    t += count;
    if (chance(0.2)) asking.tidy_sessions();
    expect(failures > 0 || same(asking.best(50, false), direct.best(50, false)), "sessions change nothing");
  }
  AskedInSessions::left = -1;
  expect(same(asking.best(50, true), direct.best(50, true)), "sessions change nothing at the end");
}

std::string damaged(std::string bytes) {
  for (int n = integer(1, 3); n > 0; --n) {
    const auto at = static_cast<size_t>(integer(0, static_cast<int>(bytes.size()) - 1));
    constexpr std::array<int32_t, 8> numbers = {-2, -1,      0,          1,
                                                7,  1 << 30, 0x7F800000, std::numeric_limits<int32_t>::min()};
    if (chance(0.5)) {
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << integer(0, 7));
    } else if (const size_t word = at & ~size_t{3}; word + 4 <= bytes.size()) {
      std::memcpy(&bytes[word], &numbers[static_cast<size_t>(integer(0, 7))], 4);
    }
  }
  if (chance(0.1)) bytes.resize(static_cast<size_t>(integer(0, static_cast<int>(bytes.size()))));
  return bytes;
}

void correct_the_checksum(std::string& bytes) {
  if (bytes.size() < 8) return;
  const uint64_t sum = ctckit::checksum(reinterpret_cast<const std::byte*>(bytes.data()) + 8, bytes.size() - 8);
  std::memcpy(bytes.data(), &sum, 8);
}

// Whatever bytes are given: an error, or a search that runs. Damage without a forged checksum is always an error.
void damaged_states() {
  const SearchPlan plan = random_plan(integer(1, 12));
  const auto scorers = std::make_shared<ctckit::Scorers>(plan);
  const std::vector<float> emissions = random_emissions(integer(1, 20), plan.classes, plan.blank);
  ctckit::Search search(scorers);
  use(search, plan, emissions, integer(0, 6));
  const std::string saved = ctckit::state_bytes(search);
  for (int n = 0; n < 20; ++n) {
    std::string bytes = damaged(saved);
    const bool forged = chance(0.9);
    if (forged) correct_the_checksum(bytes);
    try {
      ctckit::Search restored(scorers, ctckit::state_from_bytes(bytes, *scorers));
      expect(forged || bytes == saved, "damage is noticed");
      use(restored, plan, emissions, 4);
      ++forged_searches;
    } catch (const ctckit::StateError&) {
      expect(bytes != saved, "what is intact is restored");
    }
  }
}

// Each number out of range has its message. One text of two tokens or more, and the prefixes before it.
void damage_is_named() {
  const SearchPlan plan = plain_plan(3, 1);
  const ctckit::Scorers scorers(plan);
  std::vector<float> emissions;
  for (int t = 0; t < 6; ++t)
    for (int c = 0; c < 3; ++c) emissions.push_back(c == (plan.blank + 1 + t % 2) % 3 ? -0.1f : -3.0f);
  ctckit::Search search(std::make_shared<ctckit::Scorers>(plan));
  search.push(emissions.data(), 3, 6);
  const std::string saved = ctckit::state_bytes(search);
  const auto message = [&](std::string bytes) -> std::string {
    correct_the_checksum(bytes);
    try {
      (void)ctckit::state_from_bytes(bytes, scorers);
    } catch (const ctckit::StateError& error) {
      return error.what();
    }
    return "none";
  };
  const auto with = [&](size_t at, int32_t number) {
    std::string bytes = saved;
    std::memcpy(&bytes[at], &number, sizeof number);
    return message(bytes);
  };
  constexpr size_t text = 48, text_bytes = sizeof(ctckit::Beam::Text);
  const size_t last_prefix = saved.size() - 8;
  expect(message(saved) == "none" && last_prefix > text + text_bytes, "what is intact is restored");
  expect(message(saved + saved).starts_with("the number of bytes is not that of the header"), "too many bytes");
  std::string two_texts = saved;
  two_texts.insert(text, saved, text, text_bytes);
  two_texts[32] = 2;
  expect(message(two_texts).starts_with("the number of texts is out of range"), "more texts than the beam is wide");
  const std::pair<std::string, std::string> found[] = {
      {with(8, 0), "the byte order is that of another kind of machine"},
      {with(12, 9), "the version is that of another ctckit"},
      {with(16, 4), "the classes, the blank or the beam width are not those of the decoder"},
      {with(28, -1), "the number of tokens is out of range"},
      {with(44, 0x7FF00000), "the scale is out of range"},
      {with(last_prefix, 1 << 20), "a prefix is out of range"},
      {with(last_prefix + 4, plan.blank), "a prefix is out of range"},
      {with(text, 1 << 20), "a text is out of range"},
      {with(text + 4, 1 << 20), "a text is out of range"},
      {with(text + 8, 3), "a text is out of range"},
      {with(text + 12, 0x7F800000), "a mass is out of range"},
      {with(text + 20, std::numeric_limits<int32_t>::min()), "a mass is out of range"},
      {with(text + 16, 0x7F800000), "the scores of a text are out of range"},
      {with(text + 60, 1), "the scores of a text are out of range"},  // a node of the lexicon, without one
      {with(text + 12, 0), "all masses are out of range"},
  };
  for (const auto& [said, expected] : found) expect(said.starts_with(expected), expected + ", not: " + said);
}

// Ties: texts that stay win over new ones, then the first ones win; exactly beam_width are kept.
void choice_among_equals() {
  const int width = integer(1, 40), staying_count = integer(0, width);
  const auto level = [] { return 0.25f * static_cast<float>(integer(1, 4)); };
  std::vector<float> staying(static_cast<size_t>(ctckit::whole_blocks(width)), 0.0f);
  std::generate_n(staying.begin(), staying_count, level);
  ctckit::Candidates candidates(width);
  const int count = integer(0, 2 * width);
  for (int k = 0; k < count; ++k) candidates.add(level(), 0, k);

  const float threshold = chance(0.5) ? 0.125f : level();
  struct Text {
    float value;
    bool stays;
    int32_t index;
  };
  std::vector<Text> texts;
  for (int i = 0; i < staying_count; ++i) texts.push_back({staying[static_cast<size_t>(i)], true, i});
  for (int k = 0; k < count; ++k) texts.push_back({candidates.values[static_cast<size_t>(k)], false, k});
  std::stable_sort(texts.begin(), texts.end(), [](const Text& a, const Text& b) { return a.value > b.value; });
  std::vector<int32_t> leave, come;
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    const Text& each = texts[rank];
    const bool kept = rank < static_cast<size_t>(width) && each.value >= threshold;
    if (kept != each.stays) (each.stays ? leave : come).push_back(each.index);
  }
  std::sort(leave.begin(), leave.end());
  std::sort(come.begin(), come.end());

  ctckit::Choice choice(width);
  const ctckit::Selection selection = choice.select(staying, staying_count, candidates, width, threshold, 1.0f);
  const auto leaving = choice.leaving(selection, staying, staying_count);
  expect(std::equal(leaving.begin(), leaving.end(), leave.begin(), leave.end()), "who leaves, among equals");
  const auto coming = choice.coming(selection, staying, staying_count, candidates);
  expect(std::equal(coming.begin(), coming.end(), come.begin(), come.end()), "who comes, among equals");
}

// A long search frees the nodes that it no longer needs.
void bounded_memory() {
  // With this seed the emissions decide between the texts: two texts of equal score would keep all their nodes.
  random_bits.seed(1);
  const SearchPlan plan = plain_plan(4, 20);
  ctckit::Search search(std::make_shared<ctckit::Scorers>(plan));
  const std::vector<float> emissions = random_emissions(1000, plan.classes, plan.blank);
  for (int n = 0; n < 60; ++n) {
    search.push(emissions.data(), plan.classes, 1000);
    search.forget(search.stable().size());
  }
  expect(search.nodes() < 20000, "forgotten nodes are cleared away");
}

void batches_and_threads() {
  const ctckit::Decoder decoder(random_plan(integer(1, 20)));
  const SearchPlan& plan = decoder.scorers()->plan();
  const int64_t items = integer(1, 6), frames = 12;
  std::vector<float> emissions;
  std::vector<int64_t> lengths;
  for (int64_t b = 0; b < items; ++b) {
    const std::vector<float> item = random_emissions(frames, plan.classes, plan.blank);
    emissions.insert(emissions.end(), item.begin(), item.end());
    lengths.push_back(integer(0, frames));
  }
  const auto decode = [&](int64_t first, int64_t count) {
    return decoder.decode({emissions.data() + first * frames * plan.classes, frames * plan.classes, plan.classes, count,
                           lengths.data() + first},
                          3);
  };
  ctckit::set_num_threads(3);
  const auto together = decode(0, items);
  ctckit::set_num_threads(1);
  for (int64_t b = 0; b < items; ++b) {
    const auto alone = decode(b, 1)[0], among = together[static_cast<size_t>(b)];
    expect(alone.size() == among.size(), "a batch is its items");
    for (size_t k = 0; k < alone.size(); ++k)
      expect(alone[k].tokens == among[k].tokens && alone[k].score == among[k].score,
             "a batch is its items, to the bit");
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 150;
  const int first = count > 2 ? std::atoi(arguments[2]) : 1;
  for (const std::string& set : ctckit::instruction_sets()) {
    ctckit::set_instruction_set(set);
    for (seed = first; seed < first + rounds; ++seed) {
      random_bits.seed(static_cast<unsigned>(seed));
      agrees_with_dictionaries();
      masses_are_exact_scores();
      hotwords_of_one_call();
      cuts_keep_the_sum();
      blocks_of_frames();
      words_that_begin_so();
      changes_of_one_token();
      confidences_stand_alone();
      chunks_and_forgetting();
      saved_and_restored();
      sessions_change_nothing();
      damaged_states();
      damage_is_named();
      batches_and_threads();
      choice_among_equals();
    }
    bounded_memory();
  }
  expect(rounds < 10 || forged_searches > rounds, "some forgeries are within all ranges, and run");
  expect(rounds < 100 || words_found > 0, "some words begin so");
  expect(AskedInSessions::together > AskedInSessions::asked / 2, "most queries are asked together");
  expect(rounds < 100 || known_gains > 2 * unknown_gains, "most changes are possible, and not too improbable");
  std::printf("search_tests: %d rounds on each instruction set\n", rounds);
}
