#include "search/known_text.hpp"

#include <algorithm>
#include <cmath>

namespace ctckit {

KnownText::KnownText(TextScorer& scorer, std::vector<int32_t> tokens, double log_prob)
    : scorer_(scorer), tokens_(std::move(tokens)), log_prob_(log_prob) {}

KnownText::KnownText(TextScorer& scorer, std::vector<int32_t> tokens, double log_prob, Alignment alignment)
    : scorer_(scorer), tokens_(std::move(tokens)), log_prob_(log_prob), alignment_(std::move(alignment)) {}

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
                       {other_first, other_last.base()});
}

double KnownText::log_prob_after(Refinement refinement) {
  const auto at = static_cast<size_t>(refinement.position);
  const size_t added = refinement.token == scorer_.frames().blank ? 0 : 1;
  return log_prob_with(at, at + 1, {&refinement.token, added});
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

namespace {

constexpr size_t least_context = 2, most_context = 16;  // tokens on each side
constexpr float sure = -1e-3f;

}  // namespace

// Whether nearly all alignments emit this token in one of its frames.
bool KnownText::is_sure(size_t token) {
  for (int64_t t = alignment().starts[token]; t < alignment().ends[token]; ++t)
    if (scorer_.frames().frame(t)[tokens_[token]] >= sure) return true;
  return false;
}

// The log-probability of the text with tokens [from, to) replaced.
double KnownText::log_prob_with(size_t from, size_t to, std::span<const int32_t> replacement) {
  const size_t count = tokens_.size();
  const bool short_text = from <= least_context && count - to <= least_context;
  size_t first = from - std::min(from, least_context), last = std::min(to + least_context, count);
  if (!short_text && !std::isinf(log_prob_)) {
    while (first > 0 && from - first < most_context && !is_sure(first)) --first;
    while (last < count && last - to < most_context && !is_sure(last - 1)) ++last;
  }
  const Window window = window_of(first, last);
  const auto at = [&](size_t k) { return tokens_.begin() + static_cast<std::ptrdiff_t>(k); };
  other_.assign(at(window.first), at(from));
  other_.insert(other_.end(), replacement.begin(), replacement.end());
  other_.insert(other_.end(), at(to), at(window.last));
  const double other = scorer_.log_prob_of(other_, window.start, window.end);
  return window.is_whole ? other : log_prob_ + other - log_prob_on(window);
}

// The frames of these tokens, or everything if that costs no more.
KnownText::Window KnownText::window_of(size_t first, size_t last) {
  const size_t count = tokens_.size();
  const int64_t frames = scorer_.frames().count;
  const Window whole = {0, count, 0, frames, true};
  if ((first == 0 && last == count) || std::isinf(log_prob_)) return whole;
  const Window window = {first, last, first > 0 ? alignment().ends[first - 1] : 0,
                         last < count ? alignment().starts[last] : frames, false};
  const int64_t cost = 2 * (window.end - window.start) * static_cast<int64_t>(last - first);
  return cost < frames * static_cast<int64_t>(count) ? window : whole;
}

double KnownText::log_prob_on(const Window& window) {
  const auto known = std::ranges::find_if(
      windows_, [&](const auto& each) { return each.first.first == window.first && each.first.last == window.last; });
  if (known != windows_.end()) return known->second;
  const std::span<const int32_t> tokens = std::span(tokens_).subspan(window.first, window.last - window.first);
  return windows_.emplace_back(window, scorer_.log_prob_of(tokens, window.start, window.end)).second;
}

}  // namespace ctckit
