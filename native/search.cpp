#include "search.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "dispatch.hpp"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace ctckit {

namespace {

// Masses are kept between these by powers of two; the best one stands at `unit` after a change of scale. The products of one
// frame stay far below float's largest number, and what is below `smallest` is dropped.
constexpr float unit = 0x1p30f, highest = 0x1p40f, lowest = 0x1p16f, smallest = 0x1p-100f;
constexpr double ln2 = 0.69314718055994530942;
constexpr size_t tidy_step = 1 << 16;
constexpr uint64_t nothing = ~uint64_t{0};

int32_t bits(float value) { return std::bit_cast<int32_t>(value); }
float from_bits(int32_t value) { return std::bit_cast<float>(value); }

uint64_t mixed(uint64_t key) {
  key *= 0x9E3779B97F4A7C15u;
  return key ^ (key >> 32);
}

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

bool Search::Selection::keeps(float value) {
  const int32_t found = bits(value);
  if (found >= least) return true;
  if (ties == 0 || found != least - 1) return false;
  --ties;
  return true;
}

Search::Search(std::shared_ptr<const Factors> factors)
    : factors_(std::move(factors)),
      plan_(factors_->plan()),
      weighted_(factors_->any()),
      beam_factor_(static_cast<float>(std::exp(plan_.beam_threshold))),
      capacity_(whole_blocks(plan_.beam_width)) {
  const auto entries = static_cast<size_t>(capacity_), classes = static_cast<size_t>(whole_blocks(plan_.classes));
  const size_t most_candidates = 4 * entries + 512;
  masses_.assign(2 * entries + beam_block, 0);
  for (auto* each : {&label_, &factor_, &next_total_, &next_blank_, &next_label_, &inner_weights_, &ending_weights_})
    each->assign(entries, 0);
  for (auto* each : {&token_, &source_, &next_with_token_}) each->assign(entries, 0);
  entries_.resize(entries);
  inner_bound_.assign(entries, 1);
  end_bound_.assign(entries, 1);
  probs_.assign(classes, 0);
  likely_.assign(classes + beam_block, 0);
  with_token_.assign(classes, -1);
  existing_.assign(entries / 64 + 1, 0);
  values_.assign(most_candidates, 0);
  from_entry_.assign(most_candidates, 0);
  with_.assign(most_candidates, 0);
  if (factors_->has_fine()) fine_memory_.assign(1 << 15, {nothing, {}});
  if (factors_->has_hotwords()) hot_memory_.assign(1 << 12, {nothing, {}});
  reset();
}

void Search::reset() {
  tree_.clear();
  tidy_from_ = tidy_step;
  count_ = 0;
  clear_from(0);
  count_ = 1;
  masses_[0] = masses_[static_cast<size_t>(capacity_)] = unit;
  factor_[0] = 1;
  entries_[0] = {PrefixTree::root, PrefixTree::none, factors_->start(), {-1, 0}};
  inner_bound_[0] = end_bound_[0] = 1;
  tree_[PrefixTree::root].entry = 0;
  top_ = unit;
  log_scale_ = -std::log(static_cast<double>(unit));
  changed_ = true;
}

void Search::push(const float* log_probs, int64_t frame_stride, int64_t frames) {
  const FlushSubnormals flush;
  for (int64_t t = 0; t < frames && count_ > 0; ++t) frame(log_probs + t * frame_stride);
}

void Search::frame(const float* log_probs) {
  const BeamKernels& kernels = beam_kernels();
  const float best_class = kernels.exponentials(log_probs, plan_.classes, probs_.data());
  log_scale_ += best_class;
  if (changed_) find_sources();
  const Extremes stays = kernels.stay(arrays(), probs_.data(), probs_[static_cast<size_t>(plan_.blank)]);
  float bar = std::max(stays.most * beam_factor_, smallest);
  if (count_ == plan_.beam_width) bar = std::max(bar, stays.least);
  // The best class of a frame is always tried.
  const double token_bound = std::min(std::exp(plan_.token_threshold - static_cast<double>(best_class)), 1.0);
  candidates_ = 0;
  bar = extend(bar, std::nextafter(static_cast<float>(token_bound), 0.0f), stays);
  const float top = std::max(stays.most, top_candidate());
  bar = std::max(bar, top * beam_factor_);
  replace(count_ + candidates_ > plan_.beam_width ? select(bar, top) : Selection{bits(bar), 0});
  rescale(top);
  if (tree_.size() > tidy_from_) {
    tree_.keep(PrefixTree::root, used_nodes());
    tidy_from_ = 2 * tree_.size() + tidy_step;
  }
}

// --- what is in the beam ---------------------------------------------------------------------------------------------

int32_t Search::parent_entry(int entry) const {
  const int32_t parent = entries_[static_cast<size_t>(entry)].parent;
  return parent == PrefixTree::none ? -1 : tree_[parent].entry;
}

void Search::find_sources() {
  for (int32_t token : listed_tokens_) with_token_[static_cast<size_t>(token)] = -1;
  listed_tokens_.clear();
  for (int i = 0; i < count_; ++i) {
    const int32_t parent = parent_entry(i), token = token_[static_cast<size_t>(i)];
    const bool repeats = parent >= 0 && token_[static_cast<size_t>(parent)] == token;
    source_[static_cast<size_t>(i)] = parent < 0 ? 2 * capacity_ : repeats ? capacity_ + parent : parent;
    int32_t& first = with_token_[static_cast<size_t>(token)];
    if (first < 0) listed_tokens_.push_back(token);
    next_with_token_[static_cast<size_t>(i)] = first;
    first = i;
  }
  changed_ = false;
}

BeamArrays Search::arrays() {
  return {count_,         capacity_,      masses_.data(),     label_.data(),      factor_.data(),
          token_.data(),  source_.data(), next_total_.data(), next_blank_.data(), next_label_.data()};
}

int32_t Search::node_of(int entry) {
  Entry& each = entries_[static_cast<size_t>(entry)];
  if (each.node == PrefixTree::none) each.node = tree_.add(each.parent, token_[static_cast<size_t>(entry)], entry);
  return each.node;
}

// Empty entries weigh nothing and get nothing.
void Search::clear_from(int first) {
  for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(capacity_); ++i) {
    masses_[i] = masses_[static_cast<size_t>(capacity_) + i] = label_[i] = factor_[i] = 0;
    next_total_[i] = next_blank_[i] = next_label_[i] = 0;
    token_[i] = plan_.blank;
    source_[i] = 2 * capacity_;
  }
}

void Search::move_entry(int from, int to) {
  const auto a = static_cast<size_t>(from), b = static_cast<size_t>(to), blanks = static_cast<size_t>(capacity_);
  masses_[b] = masses_[a];
  masses_[blanks + b] = masses_[blanks + a];
  label_[b] = label_[a];
  factor_[b] = factor_[a];
  token_[b] = token_[a];
  entries_[b] = entries_[a];
  inner_bound_[b] = inner_bound_[a];
  end_bound_[b] = end_bound_[a];
  if (entries_[b].node != PrefixTree::none) tree_[entries_[b].node].entry = to;
}

void Search::rescale(float top) {
  top_ = top;
  if (count_ == 0 || (top >= lowest && top < highest)) return;
  const int shift = std::ilogb(unit) - std::ilogb(top);
  const float scale = std::ldexp(1.0f, shift);
  for (float& mass : masses_) mass *= scale;
  for (float& mass : label_) mass *= scale;
  top_ *= scale;
  log_scale_ -= shift * ln2;
}

// --- one token more --------------------------------------------------------------------------------------------------

// At least what each entry's mass can become by one more token, but for the token's own probability; returns the largest.
float Search::weigh() {
  if (!weighted_) return top_;
  const auto count = static_cast<size_t>(count_);
  const float most = factors_->largest();
  float best = 0;
  for (size_t i = 0; i < count; ++i) inner_weights_[i] = masses_[i] * most * inner_bound_[i];
  if (plan_.has_words)
    for (size_t i = 0; i < count; ++i) ending_weights_[i] = masses_[i] * most * end_bound_[i];
  for (size_t i = 0; i < count; ++i) best = std::max(best, std::max(inner_weights_[i], ending_weights_[i]));
  for (size_t i = count; i < static_cast<size_t>(whole_blocks(count_)); ++i) inner_weights_[i] = ending_weights_[i] = 0;
  return best;
}

// Collects the candidates above the bar, which rises as better ones are found; returns where it ends.
float Search::extend(float bar, float token_bound, const Extremes& stays) {
  const float best_weight = weigh();
  const int found = beam_kernels().likely_classes(probs_.data(), plan_.classes, plan_.blank,
                                                  std::max(bar / best_weight, token_bound), likely_.data());
  const auto prob = [&](int32_t token) { return probs_[static_cast<size_t>(token)]; };
  std::sort(likely_.begin(), likely_.begin() + found,
            [&](int32_t a, int32_t b) { return prob(a) > prob(b) || (prob(a) == prob(b) && a < b); });
  for (int k = 0; k < found; ++k) {
    const int32_t token = likely_[static_cast<size_t>(k)];
    if (prob(token) * best_weight <= bar) break;
    extend_by(token, bar);
    if (count_ + candidates_ > 2 * plan_.beam_width + 256) bar = tighten(bar, std::max(stays.most, top_candidate()));
  }
  return bar;
}

// Marks the entries whose extension by the token is in the beam already, and those that end in it, which get it once more
// only behind a blank; the latter without the former are kept in repeats_.
void Search::mark(int token) {
  const auto is_marked = [&](int entry) { return existing_[static_cast<size_t>(entry) / 64] >> (entry % 64) & 1; };
  const auto mark = [&](int entry) { existing_[static_cast<size_t>(entry) / 64] |= uint64_t{1} << (entry % 64); };
  const auto next = [&](int entry) { return next_with_token_[static_cast<size_t>(entry)]; };
  const int32_t first = with_token_[static_cast<size_t>(token)];
  repeats_.clear();
  for (int32_t i = first; i >= 0; i = next(i))
    if (const int32_t parent = parent_entry(i); parent >= 0) mark(parent);
  for (int32_t i = first; i >= 0; i = next(i))
    if (!is_marked(i)) repeats_.push_back(i);
  for (int32_t i = first; i >= 0; i = next(i)) mark(i);
}

void Search::unmark(int token) {
  for (int32_t i = with_token_[static_cast<size_t>(token)]; i >= 0; i = next_with_token_[static_cast<size_t>(i)]) {
    existing_[static_cast<size_t>(i) / 64] = 0;
    if (const int32_t parent = parent_entry(i); parent >= 0) existing_[static_cast<size_t>(parent) / 64] = 0;
  }
}

void Search::extend_by(int token, float bar) {
  const float prob = probs_[static_cast<size_t>(token)];
  const auto from = static_cast<size_t>(candidates_);
  const auto& weights = !weighted_ ? masses_ : factors_->ends_word(token) ? ending_weights_ : inner_weights_;
  mark(token);
  size_t to = from + static_cast<size_t>(beam_kernels().extend(weights.data(), count_, prob, bar, existing_.data(),
                                                               &values_[from], &from_entry_[from]));
  unmark(token);
  if (weighted_)
    for (size_t k = from; k < to; ++k) values_[k] = masses_[static_cast<size_t>(from_entry_[k])] * prob;
  for (int32_t i : repeats_) {
    const float mass = masses_[static_cast<size_t>(capacity_ + i)] * prob;
    if (!weighted_ && !(mass > bar)) continue;
    values_[to] = mass;
    from_entry_[to++] = i;
  }
  if (weighted_) to = apply_factors(from, to, token, bar);
  std::fill(with_.begin() + static_cast<std::ptrdiff_t>(from), with_.begin() + static_cast<std::ptrdiff_t>(to), token);
  candidates_ = static_cast<int>(to);
}

// Multiplies the masses of candidates by their factors and drops those that are not above the bar; returns the new end.
size_t Search::apply_factors(size_t from, size_t to, int token, float bar) {
  Context unused;
  size_t kept = from;
  for (size_t k = from; k < to; ++k) {
    const int32_t entry = from_entry_[k];
    const float mass = values_[k] * factor(entry, token, unused);
    if (!(mass > bar)) continue;
    values_[kept] = mass;
    from_entry_[kept++] = entry;
  }
  return kept;
}

Step Search::remembered(std::vector<Remembered>& memory, Compute compute, uint32_t state, int token, bool inside) {
  const uint64_t key = uint64_t{state} << 32 | static_cast<uint64_t>(token) << 1 | (inside ? 1 : 0);
  Remembered& place = memory[mixed(key) & (memory.size() - 1)];
  if (place.key != key) place = {key, ((*factors_).*compute)(state, token, inside)};
  return place.step;
}

// The edge factor of an entry and a token, and the context after it.
float Search::factor(int entry, int token, Context& after) {
  Entry& each = entries_[static_cast<size_t>(entry)];
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
  if (inside && factors_->ends_word(token) && each.ended.factor < 0) {
    each.ended = factors_->end_word(each.context);
    if (factors_->boundaries_first()) end_bound_[static_cast<size_t>(entry)] = std::max(each.ended.factor, 1.0f);
  }
  return result * factors_->letters(after, token, each.ended.factor < 0 ? nullptr : &each.ended);
}

// --- choosing --------------------------------------------------------------------------------------------------------

float Search::top_candidate() const {
  float top = 0;
  for (int k = 0; k < candidates_; ++k) top = std::max(top, values_[static_cast<size_t>(k)]);
  return top;
}

// The beam_width best of the entries that stay and the candidates, by bisection on the bits of their values. Among equals
// those that stay come first, then the candidates in their order.
Search::Selection Search::select(float bar, float top) {
  const BeamKernels& kernels = beam_kernels();
  std::fill(values_.begin() + candidates_, values_.begin() + whole_blocks(candidates_), 0.0f);
  const auto count = [&](int32_t least) {
    return kernels.count_at_least(next_total_.data(), count_, least) +
           kernels.count_at_least(values_.data(), candidates_, least);
  };
  int32_t low = bits(bar), high = bits(top) + 1;
  if (count(low) <= plan_.beam_width) return {low, 0};
  int above = 0;  // values at or over `high`
  while (high - low > 1) {
    const int32_t middle = low + (high - low) / 2;
    const int found = count(middle);
    if (found == plan_.beam_width) return {middle, 0};
    if (found > plan_.beam_width) {
      low = middle;
    } else {
      high = middle;
      above = found;
    }
  }
  return {high, plan_.beam_width - above};
}

// Drops the candidates that will not be among the best; returns the bar that new ones have to be above.
float Search::tighten(float bar, float top) {
  Selection selection = select(bar, top);
  for (int i = 0; i < count_; ++i) selection.keeps(next_total_[static_cast<size_t>(i)]);  // equals: these come first
  int kept = 0;
  for (int k = 0; k < candidates_; ++k) {
    const auto from = static_cast<size_t>(k), to = static_cast<size_t>(kept);
    if (!selection.keeps(values_[from])) continue;
    values_[to] = values_[from];
    from_entry_[to] = from_entry_[from];
    with_[to] = with_[from];
    ++kept;
  }
  candidates_ = kept;
  return std::max(bar, from_bits(selection.least - 1));
}

Search::Arrival Search::arrival(int candidate) {
  const auto k = static_cast<size_t>(candidate);
  const int32_t from = from_entry_[k], token = with_[k];
  Arrival result{{PrefixTree::none, node_of(from), {}, {-1, 0}}, token, values_[k], 1};
  if (weighted_) result.factor = factor(from, token, result.entry.context);
  result.entry.node = tree_.child(result.entry.parent, token);
  return result;
}

void Search::place(int slot, const Arrival& arrival) {
  const auto i = static_cast<size_t>(slot);
  masses_[i] = label_[i] = arrival.mass;
  masses_[static_cast<size_t>(capacity_) + i] = 0;
  factor_[i] = arrival.factor;
  token_[i] = arrival.token;
  entries_[i] = arrival.entry;
  if (plan_.has_words) {
    inner_bound_[i] = factors_->more_letters_bound(arrival.entry.context);
    end_bound_[i] = factors_->end_word_bound(arrival.entry.context);
  }
  if (arrival.entry.node != PrefixTree::none) tree_[arrival.entry.node].entry = slot;
}

// The frame's result: entries that are not selected leave, candidates that are take their places.
void Search::replace(Selection selection) {
  freed_.clear();
  arrivals_.clear();
  for (int i = 0; i < count_; ++i)
    if (!selection.keeps(next_total_[static_cast<size_t>(i)])) freed_.push_back(i);
  for (int k = 0; k < candidates_; ++k)
    if (selection.keeps(values_[static_cast<size_t>(k)])) arrivals_.push_back(arrival(k));
  const auto all = static_cast<size_t>(whole_blocks(count_));
  std::copy_n(next_total_.begin(), all, masses_.begin());
  std::copy_n(next_blank_.begin(), all, masses_.begin() + capacity_);
  std::copy_n(next_label_.begin(), all, label_.begin());
  if (freed_.empty() && arrivals_.empty()) return;
  changed_ = true;
  for (int32_t slot : freed_)
    if (const int32_t node = entries_[static_cast<size_t>(slot)].node; node != PrefixTree::none)
      tree_[node].entry = PrefixTree::none;
  size_t taken = 0;
  for (const Arrival& each : arrivals_) place(taken < freed_.size() ? freed_[taken++] : count_++, each);
  for (size_t left = freed_.size(); left > taken; --left) {
    const int hole = freed_[left - 1];
    if (hole != --count_) move_entry(count_, hole);
  }
  clear_from(count_);
}

// --- what was found --------------------------------------------------------------------------------------------------

void Search::append_tokens(int entry, std::vector<int32_t>& tokens) const {
  const Entry& each = entries_[static_cast<size_t>(entry)];
  if (each.node == PrefixTree::root) return;
  tree_.append_tokens(PrefixTree::root, each.parent, tokens);
  tokens.push_back(token_[static_cast<size_t>(entry)]);
}

std::vector<Found> Search::best(size_t n) const {
  std::vector<std::pair<double, int>> scores;
  for (int i = 0; i < count_; ++i) {
    const double end = weighted_ ? factors_->finish(entries_[static_cast<size_t>(i)].context) : 0;
    const double score = std::log(static_cast<double>(masses_[static_cast<size_t>(i)])) + log_scale_ + end;
    if (!std::isinf(score)) scores.emplace_back(-score, i);
  }
  n = std::min(n, scores.size());
  std::partial_sort(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(n), scores.end());
  std::vector<Found> result(n);
  for (size_t k = 0; k < n; ++k) {
    result[k].score = -scores[k].first;
    append_tokens(scores[k].second, result[k].tokens);
  }
  return result;
}

std::vector<int32_t> Search::stable() {
  std::vector<int32_t> tokens;
  if (count_ == 0) return tokens;
  int32_t common = node_of(0);
  for (int i = 1; i < count_; ++i) {
    const Entry& each = entries_[static_cast<size_t>(i)];
    common = tree_.common(common, each.node == PrefixTree::none ? each.parent : each.node);
  }
  tree_.append_tokens(PrefixTree::root, common, tokens);
  return tokens;
}

void Search::forget(size_t count) {
  if (count_ == 0) return;
  const int32_t depth = tree_[PrefixTree::root].depth + static_cast<int32_t>(count);
  const int32_t top = tree_.ancestor(node_of(0), depth);
  for (int i = 0; i < count_; ++i)
    if (Entry& each = entries_[static_cast<size_t>(i)]; each.node == top) each.parent = PrefixTree::none;
  tree_.keep(top, used_nodes());
  tidy_from_ = 2 * tree_.size() + tidy_step;
  changed_ = true;
}

void Search::keep_only(std::span<const int32_t> prefix) {
  std::vector<int32_t> tokens;
  freed_.clear();
  for (int i = 0; i < count_; ++i) {
    tokens.clear();
    append_tokens(i, tokens);
    if (tokens.size() < prefix.size() || !std::equal(prefix.begin(), prefix.end(), tokens.begin())) freed_.push_back(i);
  }
  for (auto slot = freed_.rbegin(); slot != freed_.rend(); ++slot) {
    if (const int32_t node = entries_[static_cast<size_t>(*slot)].node; node != PrefixTree::none)
      tree_[node].entry = PrefixTree::none;
    if (*slot != --count_) move_entry(count_, *slot);
  }
  clear_from(count_);
  top_ = count_ == 0 ? 0 : *std::max_element(masses_.begin(), masses_.begin() + count_);
  rescale(top_);
  changed_ = true;
}

std::vector<int32_t*> Search::used_nodes() {
  std::vector<int32_t*> used;
  for (int i = 0; i < count_; ++i) {
    Entry& each = entries_[static_cast<size_t>(i)];
    for (int32_t* node : {&each.node, &each.parent})
      if (*node != PrefixTree::none) used.push_back(node);
  }
  return used;
}

}  // namespace ctckit
