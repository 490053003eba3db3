#include "search/known_text.hpp"

#include <algorithm>
#include <cmath>

namespace ctckit {

namespace {

constexpr int64_t short_text = 1 << 15;                  // frames · tokens
constexpr size_t least_context = 16, most_context = 32;  // tokens on each side of a window
constexpr size_t near = 8;                               // a window with this much context is used again
constexpr size_t most_windows = 64;                      // in memory
constexpr float sure = -1e-3f;

}  // namespace

KnownText::KnownText(const TextScorer& scorer, std::vector<int32_t> tokens)
    : scorer_(scorer), tokens_(std::move(tokens)), log_prob_(scorer.log_prob_of(tokens_)) {}

KnownText::KnownText(const TextScorer& scorer, std::vector<int32_t> tokens, double log_prob, Alignment alignment)
    : scorer_(scorer), tokens_(std::move(tokens)), log_prob_(log_prob), alignment_(std::move(alignment)) {}

bool KnownText::is_short() const { return scorer_.frames().count * static_cast<int64_t>(tokens_.size()) <= short_text; }

const Alignment& KnownText::alignment() {
  if (!alignment_) alignment_ = std::isinf(log_prob_) ? no_alignment(tokens_.size()) : align(scorer_.frames(), tokens_);
  return *alignment_;
}

double KnownText::log_prob_of(std::span<const int32_t> other) {
  const auto [first, other_first] = std::mismatch(tokens_.begin(), tokens_.end(), other.begin(), other.end());
  if (first == tokens_.end() && other_first == other.end()) return log_prob_;
  const auto rest = std::make_reverse_iterator(first);
  const auto other_rest = std::make_reverse_iterator(other_first);
  const auto [last, other_last] = std::mismatch(tokens_.rbegin(), rest, other.rbegin(), other_rest);
  return log_prob_with(static_cast<size_t>(first - tokens_.begin()), static_cast<size_t>(last.base() - tokens_.begin()),
                       {other_first, other_last.base()}, true);
}

double KnownText::log_prob_after(Refinement refinement) {
  const auto at = static_cast<size_t>(refinement.position);
  const size_t added = refinement.token == scorer_.frames().blank ? 0 : 1;
  return log_prob_with(at, at + 1, {&refinement.token, added}, false);
}

void KnownText::change(Refinement refinement, double log_prob) {
  log_prob_ = log_prob;
  windows_.clear();
  if (refinement.token != scorer_.frames().blank) {
    tokens_[static_cast<size_t>(refinement.position)] = refinement.token;
    return;
  }
  tokens_.erase(tokens_.begin() + refinement.position);
  if (!alignment_) return;
  alignment_->starts.erase(alignment_->starts.begin() + refinement.position);
  alignment_->ends.erase(alignment_->ends.begin() + refinement.position);
}

// The log-probability of the text with tokens [from, to) replaced. `surely`: no windows without sure ends.
double KnownText::log_prob_with(size_t from, size_t to, std::span<const int32_t> instead, bool surely) {
  Window* const window = std::isinf(log_prob_) ? nullptr : window_around(from, to, surely);
  if (window) {
    const double gain = window->passes.gain(from - window->first, to - window->first, instead);
    if (!std::isnan(gain)) return log_prob_ + gain;
  }
  std::vector<int32_t> other(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(from));
  other.insert(other.end(), instead.begin(), instead.end());
  other.insert(other.end(), tokens_.begin() + static_cast<std::ptrdiff_t>(to), tokens_.end());
  return scorer_.log_prob_of(other);
}

void KnownText::expect_changes(size_t from, size_t to) {
  if (!is_short() && !std::isinf(log_prob_)) window_around(from, to, true);
}

// A window for changes of tokens [from, to), if `surely` with sure ends. Null where there is none, or where it would cost
// as much as the whole text.
KnownText::Window* KnownText::window_around(size_t from, size_t to, bool surely) {
  const size_t count = tokens_.size();
  const auto fits = [&](const Window& each) {
    return (each.is_sure || !surely) && (each.first == 0 || each.first + near <= from) &&
           (each.last == count || to + near <= each.last);
  };
  const auto known = std::ranges::find_if(windows_, fits);
  if (known != windows_.end()) return &*known;
  if (is_short()) return &add_window(0, count, true);
  if (alignment().ends.back() == 0) return nullptr;  // there is none: all paths come from before the border
  size_t first = from - std::min(from, least_context), last = std::min(to + least_context, count);
  while (surely && first > 0 && !is_sure(first) && from - first < most_context) --first;
  while (surely && last < count && !is_sure(last - 1) && last - to < most_context) ++last;
  const bool sure_ends = surely && (first == 0 || is_sure(first)) && (last == count || is_sure(last - 1));
  if (surely && !sure_ends) return nullptr;
  const int64_t size = (end_of(last) - start_of(first)) * static_cast<int64_t>(last - first);
  if (size > short_text && 2 * size > scorer_.frames().count * static_cast<int64_t>(count)) return nullptr;
  return &add_window(first, last, sure_ends);
}

// Whether nearly all alignments emit this token in one of its frames.
bool KnownText::is_sure(size_t token) {
  for (int64_t t = alignment().starts[token]; t < alignment().ends[token]; ++t)
    if (scorer_.frames().at(t, tokens_[token]) >= sure) return true;
  return false;
}

int64_t KnownText::start_of(size_t first) { return first > 0 ? alignment().ends[first - 1] : 0; }
int64_t KnownText::end_of(size_t last) {
  return last < tokens_.size() ? alignment().starts[last] : scorer_.frames().count;
}

KnownText::Window& KnownText::add_window(size_t first, size_t last, bool is_sure) {
  if (windows_.size() == most_windows) windows_.pop_front();
  const std::span<const int32_t> tokens = std::span(tokens_).subspan(first, last - first);
  return windows_.emplace_back(Window{first, last, is_sure, scorer_.passes(tokens, start_of(first), end_of(last))});
}

}  // namespace ctckit
