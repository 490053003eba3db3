#include "search.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "dispatch.hpp"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace ctckit {

namespace {

constexpr float smallest = 0x1p-100f;  // masses below it are dropped; the best one is above 2^16
constexpr uint64_t nothing = ~uint64_t{0};

// Parts of masses may fall far below what counts: as zeros they cost nothing.
class FlushSubnormals {
 public:
#if defined(__SSE2__)
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushSubnormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#else
  FlushSubnormals() {}
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;
};

}  // namespace

Search::Search(std::shared_ptr<const Factors> factors)
    : factors_(std::move(factors)),
      plan_(factors_->plan()),
      weighted_(factors_->any()),
      beam_factor_(static_cast<float>(std::exp(plan_.beam_threshold))),
      beam_(plan_.beam_width, plan_.classes, plan_.blank),
      probs_(static_cast<size_t>(whole_blocks(plan_.classes)), 0),
      waiting_(probs_.size() + beam_block, 0),
      candidates_(plan_.beam_width),
      pending_(weighted_ ? plan_.beam_width : 0) {
  const Weights none = {std::vector<float>(static_cast<size_t>(whole_blocks(plan_.beam_width)), 0), 0};
  if (weighted_) weights_.assign(factors_->kinds().size(), none);
  if (factors_->has_fine()) fine_memory_.assign(1 << 15, {nothing, {}});
  if (factors_->has_hotwords()) hot_memory_.assign(1 << 12, {nothing, {}});
  reset();
}

void Search::push(const float* log_probs, int64_t frame_stride, int64_t frames) {
  const FlushSubnormals flush;
  for (int64_t t = 0; t < frames && beam_.count() > 0; ++t) frame(log_probs + t * frame_stride);
}

void Search::frame(const float* log_probs) {
  const float best_class = beam_kernels().exponentials(log_probs, plan_.classes, probs_.data());
  const Extremes stays = beam_.stay(probs_.data(), static_cast<double>(best_class));
  most_stay_ = stays.most;
  // A new text has to be above the bar: what is dropped anyway, or, where the beam is full, the worst that stays.
  float bar = std::max(stays.most * beam_factor_, smallest);
  if (beam_.count() == plan_.beam_width) bar = std::max(bar, stays.least);
  // The best class of a frame is always tried.
  const double token_bound = std::min(std::exp(plan_.token_threshold - static_cast<double>(best_class)), 1.0);
  candidates_.count = pending_.count = 0;
  bar = extend(bar, std::nextafter(static_cast<float>(token_bound), 0.0f));
  const float top = std::max(most_stay_, candidates_.top());
  bar = std::max(bar, top * beam_factor_);
  Selection selection = {std::bit_cast<int32_t>(bar), 0};
  if (beam_.count() + candidates_.count > plan_.beam_width)
    selection = select(beam_.staying(), beam_.count(), candidates_, plan_.beam_width, bar, top);
  replace(selection);
  beam_.replace(freed_, arrivals_, top);
}

// --- new texts -------------------------------------------------------------------------------------------------------

// At least what the entries' masses can become by one more token of a kind, but for the token's own probability.
void Search::weigh() {
  const auto count = static_cast<size_t>(beam_.count());
  for (size_t kind = 0; kind < weights_.size(); ++kind) {
    const Factors::Kind& tokens = factors_->kinds()[kind];
    Weights& result = weights_[kind];
    result.most = 0;
    const float token_bound = factors_->token_bound(tokens);
    for (size_t i = 0; i < count; ++i) {
      const Beam::Entry& entry = beam_[static_cast<int>(i)];
      float bound = beam_.totals()[i] * token_bound;
      bound *= tokens.ends_word ? entry.ending_bound : entry.inner_bound;
      if (factors_->has_hotwords()) bound *= factors_->hot_bound(entry.context.hot, tokens);
      result.values[i] = bound;
      result.most = std::max(result.most, bound);
    }
    std::fill(result.values.begin() + beam_.count(), result.values.begin() + whole_blocks(beam_.count()), 0.0f);
  }
}

// Classes whose bounds are far above the others', by falling probability.
void Search::rank_rare(float bar, float token_bound) {
  ranked_.clear();
  for (size_t kind = 0; kind < weights_.size(); ++kind)
    if (factors_->kinds()[kind].rare())
      for (int32_t token : factors_->kinds()[kind].tokens)
        if (prob(token) > token_bound && prob(token) * weights_[kind].most > bar) rank(token);
  std::sort(ranked_.begin(), ranked_.end());
}

// The other classes that may begin a candidate above the bar.
void Search::find_waiting(float least) {
  const int found = beam_kernels().above(probs_.data(), plan_.classes, least, waiting_.data());
  waiting_count_ = 0;
  for (size_t k = 0; k < static_cast<size_t>(found); ++k) {
    const int32_t token = waiting_[k];
    waiting_[waiting_count_] = token;
    waiting_count_ += token != plan_.blank && !(weighted_ && factors_->kind_of(token).rare());
  }
}

// Of those, the ones above `level` by falling probability; the others wait on, but for those not above `least`.
void Search::rank_waiting(float level, float least) {
  ranked_.clear();
  size_t left = 0;
  for (size_t k = 0; k < waiting_count_; ++k) {
    const int32_t token = waiting_[k];
    if (prob(token) <= least) continue;
    if (prob(token) > level) {
      rank(token);
    } else {
      waiting_[left++] = token;
    }
  }
  waiting_count_ = left;
  std::sort(ranked_.begin(), ranked_.end());
}

// Probability and class in one number, whose order is quick to find.
void Search::rank(int32_t token) {
  const uint64_t falling = ~std::bit_cast<uint32_t>(prob(token));
  ranked_.push_back(falling << 32 | static_cast<uint32_t>(token));
}

// Collects the candidates above the bar, which rises as better ones are found; returns where it ends. Where thousands of
// classes are above it at first, the likeliest go ahead: what they reach spares most of the others.
float Search::extend(float bar, float token_bound) {
  constexpr size_t few = 64;
  float most = beam_.top();
  if (weighted_) {
    weigh();
    rank_rare(bar, token_bound);
    bar = extend_ranked(bar);
    most = 0;
    for (size_t kind = 0; kind < weights_.size(); ++kind)
      if (!factors_->kinds()[kind].rare()) most = std::max(most, weights_[kind].most);
  }
  if (most > 0) find_waiting(std::max(bar / most, token_bound));
  for (float level = 0x1p-4f; most > 0 && waiting_count_ > 0; level *= 0x1p-4f) {
    rank_waiting(waiting_count_ > few ? level : 0, bar / most);
    bar = extend_ranked(bar);
    if (waiting_count_ > 0) bar = settle(bar);
  }
  return weighted_ ? settle(bar) : bar;
}

float Search::extend_ranked(float bar) {
  for (uint64_t each : ranked_) {
    const auto token = static_cast<int32_t>(each & ~uint32_t{0});
    const float most = weighted_ ? weights_[factors_->kind(token)].most : beam_.top();
    if (prob(token) * most <= bar) continue;
    extend_by(token, bar);
    const bool many = weighted_ ? pending_.count > 2 * plan_.beam_width
                                : beam_.count() + candidates_.count > 2 * plan_.beam_width + 256;
    if (many) bar = settle(bar);
  }
  return bar;
}

void Search::extend_by(int token, float bar) {
  Candidates& into = weighted_ ? pending_ : candidates_;
  const auto from = static_cast<size_t>(into.count);
  const float* const weights = weighted_ ? weights_[factors_->kind(token)].values.data() : beam_.totals();
  size_t to = from + static_cast<size_t>(beam_kernels().extend(weights, beam_.count(), prob(token), bar, beam_.existing(token),
                                                               &into.values[from], &into.entries[from]));
  beam_.each_repeatable(token, [&](int32_t entry) {  // only behind a blank
    const float blank = beam_.blank_part(entry), whole = beam_.total(entry);
    const float mass = weighted_ ? weights[entry] * prob(token) * (blank / whole) : blank * prob(token);
    if (!(mass > bar)) return;
    into.values[to] = mass;
    into.entries[to++] = entry;
  });
  std::fill(into.tokens.begin() + into.count, into.tokens.begin() + static_cast<std::ptrdiff_t>(to), token);
  into.count = static_cast<int>(to);
}

// Drops what will not be among the best, so that the bar rises. Pending candidates get their factors first, those with the
// highest bounds before the others.
float Search::settle(float bar) {
  int32_t likeliest = 0;
  if (pending_.count > plan_.beam_width) {
    const float top = std::max(most_stay_, pending_.top());
    likeliest = select(beam_.staying(), beam_.count(), pending_, plan_.beam_width, bar, top).least;
  }
  for (const bool first : {true, false}) {
    for (int k = 0; k < pending_.count; ++k) {
      const auto at = static_cast<size_t>(k);
      if ((std::bit_cast<int32_t>(pending_.values[at]) >= likeliest) == first && pending_.values[at] > bar)
        settle_one(pending_.entries[at], pending_.tokens[at], bar);
    }
    if (beam_.count() + candidates_.count > plan_.beam_width) bar = tighten(bar);
    if (likeliest == 0) break;  // all were first
  }
  pending_.count = 0;
  return bar;
}

void Search::settle_one(int32_t entry, int32_t token, float bar) {
  const float from = beam_.token(entry) == token ? beam_.blank_part(entry) : beam_.total(entry);
  Context unused;
  const float mass = from * prob(token) * factor(entry, token, unused);
  if (mass > bar) candidates_.add(mass, entry, token);
}

// Drops the candidates that will not be among the best; returns the bar that new ones have to be above.
float Search::tighten(float bar) {
  const float top = std::max(most_stay_, candidates_.top());
  const Selection selection = select(beam_.staying(), beam_.count(), candidates_, plan_.beam_width, bar, top);
  candidates_.keep(selection, beam_.staying(), beam_.count());
  return std::max(bar, selection.bar());
}

// Which entries leave, and who comes.
void Search::replace(Selection selection) {
  freed_.resize(static_cast<size_t>(beam_.count()));
  size_t leaving = 0;
  for (int i = 0; i < beam_.count(); ++i) {  // without a branch that nobody could foretell
    freed_[leaving] = i;
    leaving += !selection.keeps(beam_.staying()[static_cast<size_t>(i)]);
  }
  freed_.resize(leaving);
  arrivals_.clear();
  candidates_.keep(selection, beam_.staying(), 0);
  for (int k = 0; k < candidates_.count; ++k) arrivals_.push_back(arrival(k));
}

Beam::Arrival Search::arrival(int candidate) {
  const auto k = static_cast<size_t>(candidate);
  const int32_t from = candidates_.entries[k], token = candidates_.tokens[k];
  Beam::Arrival result = beam_.extension(from, token, candidates_.values[k]);
  if (!weighted_) return result;
  result.factor = factor(from, token, result.entry.context);
  if (plan_.has_words) {
    result.entry.inner_bound = factors_->more_letters_bound(result.entry.context);
    result.entry.ending_bound = factors_->end_word_bound(result.entry.context);
  }
  return result;
}

// --- factors ---------------------------------------------------------------------------------------------------------

Step Search::remembered(std::vector<Remembered>& memory, Compute compute, uint32_t state, int token, bool inside) {
  const uint64_t key = uint64_t{state} << 32 | static_cast<uint64_t>(token) << 1 | (inside ? 1 : 0);
  const uint64_t mixed = key * 0x9E3779B97F4A7C15u;
  Remembered& place = memory[(mixed ^ (mixed >> 32)) & (memory.size() - 1)];
  if (place.key != key) place = {key, ((*factors_).*compute)(state, token, inside)};
  return place.step;
}

// The edge factor of an entry and a token, and the context after it.
float Search::factor(int entry, int token, Context& after) {
  Beam::Entry& each = beam_[entry];
  const bool inside = each.context.letters > 0;
  after = each.context;
  float result = factors_->token_factor();
  if (factors_->has_fine()) {
    const Step step = remembered(fine_memory_, &Factors::fine, after.fine, token, inside);
    result *= step.factor;
    after.fine = step.state;
  }
  if (factors_->has_hotwords()) {
    const Step step = remembered(hot_memory_, &Factors::hot, after.hot, token, inside);
    result *= step.factor;
    after.hot = step.state;
  }
  if (!plan_.has_words) return result;
  const bool ends_word = inside && factors_->kind_of(token).ends_it_at_once;
  if (ends_word && each.ended.factor < 0) {
    each.ended = factors_->end_word(each.context);
    if (factors_->boundaries_first()) each.ending_bound = std::max(each.ended.factor, 1.0f);
  }
  return result * factors_->letters(after, token, ends_word ? &each.ended : nullptr);
}

// --- results ---------------------------------------------------------------------------------------------------------

std::vector<Found> Search::best(size_t n, bool ended) const {
  std::vector<std::pair<double, int>> scores;
  for (int i = 0; i < beam_.count(); ++i) {
    const double end = weighted_ && ended ? factors_->finish(beam_[i].context) : 0;
    const double score = std::log(static_cast<double>(beam_.total(i))) + beam_.log_scale() + end;
    if (!std::isinf(score)) scores.emplace_back(-score, i);
  }
  n = std::min(n, scores.size());
  std::partial_sort(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(n), scores.end());
  std::vector<Found> result;
  for (size_t k = 0; k < n; ++k) result.push_back({beam_.tokens(scores[k].second), -scores[k].first});
  return result;
}

std::vector<Found> Search::contenders(size_t n) const {
  constexpr size_t more_texts = 16;
  constexpr double less = 0.5;
  std::vector<Found> result = best(n + more_texts, true);
  while (result.size() > n && result.back().score < result[n - 1].score - less) result.pop_back();
  return result;
}

}  // namespace ctckit
