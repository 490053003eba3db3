#include "search/search.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "simd/dispatch.hpp"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace ctckit {

namespace {

constexpr float smallest = 0x1p-100f;  // masses below this are dropped; the largest is above 2^16
constexpr size_t most_known = 20000;   // answers of language models, when frames are added

// Treats subnormal numbers as zeros: they do not matter, and they are slow.
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

Search::Search(const std::shared_ptr<const Scorers>& scorers)
    : scorers_(Scorers::for_one_search(scorers)),
      plan_(scorers_->plan()),
      weighted_(scorers_->any()),
      in_sessions_(scorers_->has_sessions()),
      beam_factor_(static_cast<float>(std::exp(plan_.beam_threshold))),
      beam_(plan_.beam_width, plan_.classes, plan_.blank),
      probs_(static_cast<size_t>(whole_blocks(plan_.classes)), 0),
      waiting_(probs_.size() + beam_block, 0),
      candidates_(plan_.beam_width),
      pending_(weighted_ ? plan_.beam_width : 0),
      order_(pending_.values.size() + beam_block, 0),
      choice_(plan_.beam_width) {
  const Bounds none = {std::vector<float>(static_cast<size_t>(whole_blocks(plan_.beam_width)), 0), 0};
  if (weighted_) bounds_.assign(scorers_->kinds().size(), none);
  if (scorers_->has_hotwords()) hotword_memory_.clear(1 << 12);
  clear_caches();
  reset();
}

// Of the language models: afterwards, no state is remembered but those in the beam.
void Search::clear_caches() {
  const auto is_short = [](const auto& model) { return !model || model->has_short_states(); };
  const bool short_tokens = is_short(plan_.token_lm);
  if (scorers_->has_token_lm()) token_lm_memory_.clear(short_tokens ? 1 << 15 : 1 << 13, short_tokens);
  if (weighted_ && plan_.has_words) word_memory_.clear(1 << 13, is_short(plan_.word_lm));
}

void Search::push(const float* log_probs, int64_t frame_stride, int64_t frames) {
  const FlushSubnormals flush;
  if (in_sessions_) return push_in_sessions(log_probs, frame_stride, frames);
  for (int64_t t = 0; t < frames && beam_.count() > 0; ++t) frame(log_probs + t * frame_stride);
}

void Search::push_in_sessions(const float* log_probs, int64_t frame_stride, int64_t frames) {
  size_t known = 0;
  for (const Session* session : {scorers_->token_session().get(), scorers_->word_session().get()})
    if (session) known += session->known();
  if (known > most_known) tidy_sessions();
  const Beam::State before = beam_.state();
  try {
    for (int64_t t = 0; t < frames && beam_.count() > 0; ++t) frame(log_probs + t * frame_stride);
  } catch (...) {
    beam_.restore(before);
    throw;
  }
}

void Search::tidy_sessions() {
  if (!in_sessions_) return;
  std::vector<ModelState> token_lm, word;
  for (int i = 0; i < beam_.count(); ++i) {
    token_lm.push_back(beam_[i].context.token_lm);
    word.push_back(beam_[i].context.word);
    if (beam_[i].ended.factor >= 0) word.push_back(beam_[i].ended.state);
  }
  if (scorers_->token_session()) scorers_->token_session()->keep_only(token_lm);
  if (scorers_->word_session()) scorers_->word_session()->keep_only(word);
  clear_caches();
}

// Probabilities are relative to the best class of the frame, and so those of very improbable classes are zeros. If no
// text can emit any other class, the frame is computed again, relative to the best of the classes far below.
void Search::frame(const float* log_probs) {
  float reference = beam_kernels().exponentials(log_probs, plan_.classes, probs_.data());
  double scale = static_cast<double>(reference);
  // The best class of a frame is always allowed.
  const double best = std::min(std::exp(plan_.token_threshold - scale), 1.0);
  float token_bound = std::nextafter(static_cast<float>(best), 0.0f);
  while (!step(scale, token_bound)) {
    const float lower = exponentials_below(log_probs, reference);
    if (std::isinf(lower)) return replace({std::bit_cast<int32_t>(smallest), 0}, 0);  // no text is left
    scale = static_cast<double>(lower) - static_cast<double>(reference);              // the change
    reference = lower;
    token_bound = static_cast<float>(std::exp(std::min(plan_.token_threshold - static_cast<double>(lower), 80.0)));
  }
}

// Sets the probabilities of the classes far below a reference, relative to the best of them; those of the others are
// zeros. Returns the logarithm of this best one, −∞ if there is none.
float Search::exponentials_below(const float* log_probs, float reference) {
  constexpr float far = 20;  // nats
  constexpr float none = -std::numeric_limits<float>::infinity();
  float best = none;
  for (int c = 0; c < plan_.classes; ++c)
    if (log_probs[c] < reference - far) best = std::max(best, log_probs[c]);
  if (best == none) return none;
  for (int c = 0; c < plan_.classes; ++c)
    probs_[static_cast<size_t>(c)] = log_probs[c] < reference - far ? std::exp(log_probs[c] - best) : 0.0f;
  return best;
}

// Computes one frame. Returns false, and changes nothing but the scale, if no text has mass left. `scale`: the change of
// the logarithm of the probabilities' common factor.
bool Search::step(double scale, float token_bound) {
  const Extremes stays = beam_.stay(probs_.data(), scale);
  most_stay_ = stays.most;
  // A new text must exceed the threshold: the limit for dropped masses, or the worst text of a full beam.
  float threshold = std::max(stays.most * beam_factor_, smallest);
  if (beam_.count() == plan_.beam_width) threshold = std::max(threshold, stays.least);
  candidates_.count = pending_.count = 0;
  if (weighted_) update_bounds();
  threshold = extend(threshold, token_bound);
  const float top = std::max(most_stay_, candidates_.top());
  if (!(top > smallest)) return false;
  threshold = std::max(threshold, top * beam_factor_);
  Selection selection = {std::bit_cast<int32_t>(threshold), 0};
  if (beam_.count() + candidates_.count > plan_.beam_width)
    selection = choice_.select(beam_.staying(), beam_.count(), candidates_, plan_.beam_width, threshold, top);
  replace(selection, top);
  return true;
}

// --- new texts -------------------------------------------------------------------------------------------------------

// Upper bounds of the entries' masses after one more token of each kind, without the token's own probability.
void Search::update_bounds() {
  const auto count = static_cast<size_t>(beam_.count());
  for (size_t kind = 0; kind < bounds_.size(); ++kind) {
    const Scorers::Kind& tokens = scorers_->kinds()[kind];
    Bounds& result = bounds_[kind];
    result.most = 0;
    const float token_bound = scorers_->token_bound(tokens);
    for (size_t i = 0; i < count; ++i) {
      const Beam::Entry& entry = beam_[static_cast<int>(i)];
      float bound = beam_.totals()[i] * token_bound;
      bound *= tokens.ends_word ? entry.ending_bound : entry.inner_bound;
      if (scorers_->has_hotwords()) bound *= scorers_->hotword_bound(entry.context.hotword, tokens);
      result.values[i] = bound;
      result.most = std::max(result.most, bound);
    }
    std::fill(result.values.begin() + beam_.count(), result.values.begin() + whole_blocks(beam_.count()), 0.0f);
  }
}

// Ranks the rare classes, whose bounds are far above those of the others, by falling probability.
void Search::rank_rare(float threshold, float token_bound) {
  ranked_.clear();
  for (size_t kind = 0; kind < bounds_.size(); ++kind)
    if (scorers_->kinds()[kind].rare())
      for (int32_t token : scorers_->kinds()[kind].tokens)
        if (prob(token) > token_bound && prob(token) * bounds_[kind].most > threshold) rank(token);
  std::sort(ranked_.begin(), ranked_.end());
}

// Finds the other classes that may give a candidate above the threshold.
void Search::find_waiting(float least) {
  const int found = beam_kernels().above(probs_.data(), plan_.classes, least, waiting_.data());
  waiting_count_ = 0;
  for (size_t k = 0; k < static_cast<size_t>(found); ++k) {
    const int32_t token = waiting_[k];
    waiting_[waiting_count_] = token;
    waiting_count_ += token != plan_.blank && !(weighted_ && scorers_->kind_of(token).rare());
  }
}

// Ranks the waiting classes above `level` by falling probability. Drops those not above `least`; the others wait on.
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

// Packs probability and class into one number, which sorts fast.
void Search::rank(int32_t token) {
  const uint64_t falling = ~std::bit_cast<uint32_t>(prob(token));
  ranked_.push_back(falling << 32 | static_cast<uint32_t>(token));
}

// Collects the candidates above the threshold, which rises with better candidates; returns its last value. If thousands
// of classes are above it at first, the most probable ones come first: they raise the threshold above most of the
// others.
float Search::extend(float threshold, float token_bound) {
  constexpr size_t few = 64;
  float most = beam_.top();
  repeat(threshold, token_bound);
  if (weighted_) {
    rank_rare(threshold, token_bound);
    threshold = extend_ranked(threshold);
    most = 0;
    for (size_t kind = 0; kind < bounds_.size(); ++kind)
      if (!scorers_->kinds()[kind].rare()) most = std::max(most, bounds_[kind].most);
  }
  if (most > 0) find_waiting(std::max(threshold / most, token_bound));
  if (!weighted_ && waiting_count_ <= few) {  // sorting would not pay
    for (size_t k = 0; k < waiting_count_; ++k) threshold = extend_by(waiting_[k], threshold);
    return threshold;
  }
  for (float level = 0x1p-4f; most > 0 && waiting_count_ > 0; level *= 0x1p-4f) {
    rank_waiting(waiting_count_ > few ? level : 0, threshold / most);
    threshold = extend_ranked(threshold);
    if (waiting_count_ > 0) threshold = score_pending(threshold);
  }
  return weighted_ ? score_pending(threshold) : threshold;
}

float Search::extend_ranked(float threshold) {
  for (uint64_t each : ranked_) {
    const auto token = static_cast<int32_t>(each & ~uint32_t{0});
    const float most = weighted_ ? bounds_[scorers_->kind(token)].most : beam_.top();
    if (prob(token) * most <= threshold) continue;
    threshold = extend_by(token, threshold);
  }
  return threshold;
}

float Search::extend_by(int token, float threshold) {
  Candidates& into = weighted_ ? pending_ : candidates_;
  const int from = into.count;
  const auto at = static_cast<size_t>(from);
  const float* const weights = weighted_ ? bounds_[scorers_->kind(token)].values.data() : beam_.totals();
  into.count += beam_kernels().extend(weights, beam_.tokens(), beam_.count(), token, prob(token), threshold,
                                      beam_.existing(token), &into.values[at], &into.entries[at]);
  std::fill(into.tokens.begin() + from, into.tokens.begin() + into.count, token);
  const bool many = weighted_ ? pending_.count > 2 * plan_.beam_width
                              : beam_.count() + candidates_.count > 2 * plan_.beam_width + 256;
  return many ? score_pending(threshold) : threshold;
}

// Repeats the last token of each text, which needs a blank in between.
void Search::repeat(float threshold, float token_bound) {
  Candidates& into = weighted_ ? pending_ : candidates_;
  const int found = beam_kernels().above_but(beam_.repeated(), beam_.count(), weighted_ ? 0 : threshold,
                                             beam_.unrepeatable(), into.values.data(), into.entries.data());
  for (size_t k = 0; k < static_cast<size_t>(found); ++k) {
    const int32_t entry = into.entries[k], token = beam_.token(entry);
    float mass = into.values[k];
    if (weighted_) mass *= bounds_[scorers_->kind(token)].values[static_cast<size_t>(entry)] / beam_.total(entry);
    if (mass > threshold && prob(token) > token_bound) into.add(mass, entry, token);
  }
}

// Applies the scorers to the pending candidates, those with the highest bounds first. Drops candidates that will not be
// among the best, which raises the threshold.
float Search::score_pending(float threshold) {
  Selection likeliest = {0, 0};
  if (pending_.count > plan_.beam_width) {
    const float top = std::max(most_stay_, pending_.top());
    likeliest = choice_.select(beam_.staying(), beam_.count(), pending_, plan_.beam_width, threshold, top);
  }
  const bool all = likeliest.least == 0;
  Context unused;
  for (const bool first : {true, false}) {
    const float least = first && !all ? std::max(threshold, likeliest.threshold()) : threshold;
    const int found = beam_kernels().above(pending_.values.data(), pending_.count, least, order_.data());
    const float most = first ? std::numeric_limits<float>::infinity() : likeliest.threshold();
    if (in_sessions_) ask_ahead({order_.data(), static_cast<size_t>(found)}, most);
    for (size_t k = 0; k < static_cast<size_t>(found); ++k) {
      const auto at = static_cast<size_t>(order_[k]);
      if (pending_.values[at] > most) continue;
      const int32_t entry = pending_.entries[at], token = pending_.tokens[at];
      const float from = beam_.token(entry) == token ? beam_.blank_part(entry) : beam_.total(entry);
      const float mass = from * prob(token) * factor(entry, token, unused);
      if (mass > threshold) candidates_.add(mass, entry, token);
    }
    if (beam_.count() + candidates_.count > plan_.beam_width) threshold = prune(threshold);
    if (all) break;
  }
  pending_.count = 0;
  return threshold;
}

// Asks the language models for what factor() will need: of these pending candidates, those with bounds up to `most`.
void Search::ask_ahead(std::span<const int32_t> candidates, float most) const {
  scorers_->ask_ahead([&] {
    for (int32_t candidate : candidates) {
      const auto at = static_cast<size_t>(candidate);
      if (pending_.values[at] > most) continue;
      const Beam::Entry& entry = beam_[pending_.entries[at]];
      const int32_t token = pending_.tokens[at];
      const bool inside = entry.context.letters > 0;
      if (scorers_->has_token_lm()) scorers_->token_lm_step(entry.context.token_lm, token, inside);
      if (plan_.has_words && inside && entry.ended.factor < 0 && scorers_->kind_of(token).ends_it_at_once)
        scorers_->end_word(entry.context);
    }
  });
}

// Drops the candidates that will not be among the best. Returns the threshold for new ones.
float Search::prune(float threshold) {
  const float top = std::max(most_stay_, candidates_.top());
  const Selection selection =
      choice_.select(beam_.staying(), beam_.count(), candidates_, plan_.beam_width, threshold, top);
  candidates_.keep(choice_.coming(selection, beam_.staying(), beam_.count(), candidates_));
  return std::max(threshold, selection.threshold());
}

// Replaces entries of the beam by the selected candidates.
void Search::replace(Selection selection, float top) {
  arrivals_.clear();
  carried_.clear();
  for (int32_t each : choice_.coming(selection, beam_.staying(), beam_.count(), candidates_)) {
    const auto k = static_cast<size_t>(each);
    const int32_t from = candidates_.entries[k], token = candidates_.tokens[k];
    beam_.extend(from, token, candidates_.values[k], arrivals_.emplace_back());
    if (weighted_) carried_.push_back(carried(from, token, arrivals_.back().factor));
  }
  beam_.replace(choice_.leaving(selection, beam_.staying(), beam_.count()), arrivals_, carried_, top);
}

Beam::Entry Search::carried(int entry, int token, float& of_token) {
  Beam::Entry result;
  of_token = factor(entry, token, result.context);
  if (plan_.has_words) {
    result.inner_bound = scorers_->more_letters_bound(result.context);
    result.ending_bound = scorers_->end_word_bound(result.context);
  }
  return result;
}

// --- scorers ---------------------------------------------------------------------------------------------------------

// Returns e^(score of the scorers) for a token after an entry, and sets the context after it.
float Search::factor(int entry, int token, Context& after) {
  Beam::Entry& each = beam_[entry];
  const bool inside = each.context.letters > 0;
  const uint32_t token_inside = static_cast<uint32_t>(token) << 1 | (inside ? 1 : 0);
  after = each.context;
  float result = scorers_->token_factor();
  if (scorers_->has_token_lm()) {
    const ModelState before = after.token_lm;
    result *= token_lm_memory_.step(after.token_lm, token_inside,
                                    [&] { return scorers_->token_lm_step(before, token, inside); });
  }
  if (scorers_->has_hotwords()) {
    const ShortStep step = hotword_memory_.step(after.hotword, token_inside,
                                                [&] { return scorers_->hotword_step(after.hotword, token, inside); });
    result *= step.factor;
    after.hotword = step.state;
  }
  if (!plan_.has_words) return std::min(result, largest_factor);
  const bool ends_word = inside && scorers_->kind_of(token).ends_it_at_once;
  if (ends_word && each.ended.factor < 0) {
    each.ended.state = each.context.word;
    each.ended.factor =
        word_memory_.step(each.ended.state, each.context.node, [&] { return scorers_->end_word(each.context); });
    if (scorers_->boundaries_first()) each.ending_bound = std::max(each.ended.factor, 1.0f);
  }
  return std::min(result * scorers_->letters(after, token, ends_word ? &each.ended : nullptr), largest_factor);
}

// --- results ---------------------------------------------------------------------------------------------------------

std::vector<Ending> Search::endings(bool ended) const {
  std::vector<Ending> result;
  if (ended)
    scorers_->ask_ahead([&] {
      for (int i = 0; i < beam_.count(); ++i) scorers_->finish(beam_[i].context);
    });
  for (int i = 0; i < beam_.count(); ++i) {
    const double end = weighted_ && ended ? scorers_->finish(beam_[i].context) : 0;
    const double score = std::log(static_cast<double>(beam_.total(i))) + beam_.log_scale() + end;
    if (std::isfinite(score)) result.push_back({score, i});
  }
  std::ranges::sort(result, [](const Ending& a, const Ending& b) {
    return a.score != b.score ? a.score > b.score : a.entry < b.entry;
  });
  return result;
}

std::vector<Found> Search::best(size_t n, bool ended) const {
  std::vector<Found> result;
  for (const Ending& each : endings(ended)) {
    if (result.size() == n) break;
    append_tokens(each, result.emplace_back(Found{{}, each.score}).tokens);
  }
  return result;
}

}  // namespace ctckit
