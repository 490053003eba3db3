#include "align/path.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <type_traits>

#include "simd/dispatch.hpp"

namespace ctckit {

namespace {

constexpr int64_t scratch_bytes = 1 << 18;  // up to this size the states of all frames are kept: they stay in the cache
constexpr int uses_ahead = 2, uses_slack = 4;  // blocks looked up in advance; how much larger the list may be
constexpr int levels = 8;                      // parts into which the way back divides a large window
constexpr int64_t min_keep_every = 256;        // least number of frames between checkpoints of the forward pass
constexpr int64_t checkpoints_in_graph = 16;   // distance of checkpoints: this part of the graph, to recompute little

int64_t whole_passes(int64_t frames) { return std::max<int64_t>(frames / align_frames, 1) * align_frames; }

// The score below which a block is pruned, relative to `scale`.
template <class Real>
double threshold_of(const AlignLimits& limits, const AlignWindow<Real>& window, size_t pass, double best, double scale,
                    int64_t frames) {
  if (!limits.rest.empty()) {
    const double threshold = limits.bound - limits.rest[pass + 1] - scale;
    // The possible rounding error of the scores and of the bound.
    const double size = 1 + std::fabs(best) + std::fabs(std::is_same_v<Real, float> ? threshold : limits.bound);
    return threshold - 2 * static_cast<double>(frames) * size * std::numeric_limits<Real>::epsilon();
  }
  if (limits.beam > 0) {
    std::vector<Real> scores(window.best.begin() + window.low,
                             window.best.begin() + std::min(window.high + 2, window.blocks));
    const auto keep = static_cast<size_t>(limits.beam);
    if (scores.size() > keep) {
      std::nth_element(scores.begin(), scores.begin() + limits.beam, scores.end(), std::greater<>());
      return static_cast<double>(scores[keep]);
    }
  }
  return AlignLimits::nothing;
}

}  // namespace

template <class In, class Real>
PathFinder<In, Real>::PathFinder(const AlignItem<In>& item)
    : graph_(item), last_(item.frames - 1), offsets_(static_cast<size_t>(last_ / align_frames) + 2, Real{0}) {}

template <class In, class Real>
double PathFinder<In, Real>::score(const AlignLimits& limits) {
  AlignWindow<Real> window(0, graph_.blocks());
  return end_of(window, forward(window, limits, 0, nullptr)).log_prob;
}

template <class In, class Real>
double PathFinder<In, Real>::find(const AlignLimits& limits, int64_t keep_every, int64_t* starts, int64_t* ends) {
  const AlignItem<In>& item = graph_.item();
  SpanWriter<In> writer(item, starts, ends);
  AlignWindow<Real> window(0, graph_.blocks());
  const int64_t width = window.width(), frame_states = 2 * width;
  const bool keep_all =
      keep_every == 0 && item.frames * frame_states * static_cast<int64_t>(sizeof(Real)) <= scratch_bytes;
  if (keep_all) {
    scratch_.assign(static_cast<size_t>(item.frames * frame_states), no_path<Real>);
    graph_.start(scratch_.data(), scratch_.data() + width);
  } else if (keep_every == 0) {
    keep_every = std::max(item.count / checkpoints_in_graph, min_keep_every);
  }
  const double scale = keep_all ? forward(window, limits, 0, scratch_.data() + frame_states)
                                : forward(window, limits, whole_passes(keep_every), nullptr);
  const End end = end_of(window, scale);
  if (end.log_prob == no_path<double>) return end.log_prob;
  writer.end(end.state);
  if (keep_all) return writer.begin(walk(scratch_.data(), width, 0, 0, last_, end.state, writer));
  PathState state = end.state;
  for (int64_t to = last_; !checkpoints_.empty(); checkpoints_.pop_back()) {
    state = back(checkpoints_.back(), to, state, writer);
    to = checkpoints_.back().frame;
  }
  return writer.begin(state);
}

// The lowest block of a window from which a path can still reach `target`.
template <class In, class Real>
int PathFinder<In, Real>::low_block(int64_t target, int64_t frames_left, int window) const {
  return std::max(static_cast<int>(std::max<int64_t>(target - graph_.reach() * frames_left, 0) / align_block) - window,
                  0);
}

// If only a few blocks are left, only the emissions of their labels are read.
template <class In, class Real>
void PathFinder<In, Real>::refresh(AlignWindow<Real>& window, bool whole) const {
  const int from = whole ? 0 : window.low,
            to = whole ? window.blocks - 1 : std::min(window.high + 1, window.blocks - 1);
  const int known = window.uses_to - window.uses_from + 1;
  if (from >= window.uses_from && to <= window.uses_to && (to - from + 1) * uses_slack >= known) return;
  window.uses_from = std::max(from, 0);
  window.uses_to = std::min(to + uses_ahead, window.blocks - 1);
  window.uses = graph_.uses(window.first + window.uses_from, window.uses_to - window.uses_from + 1);
}

// Computes frames t + 1 … t + frames for the blocks that are alive; for all blocks if the states are kept.
template <class In, class Real>
void PathFinder<In, Real>::advance(AlignWindow<Real>& window, int64_t t, int frames, Real* kept) {
  AlignPass<Real> pass{};
  refresh(window, kept);
  graph_.prepare(pass, t + 1, frames, window.first, window.uses);
  pass.label = window.label.data();
  pass.blank = window.blank.data();
  pass.best = window.best.data();
  pass.offset = offsets_[static_cast<size_t>(t / align_frames)];
  pass.kept = kept;
  pass.kept_width = window.width();
  const int top = kept ? window.blocks - 1 : std::min(window.high + 1, window.blocks - 1);
  const auto needed = [&](int b) {
    return kept || window.alive[static_cast<size_t>(b)] || (b > window.low && window.alive[static_cast<size_t>(b - 1)]);
  };
  for (int b = window.low; b <= top; ++b) {
    if (!needed(b)) continue;
    pass.first = b;
    while (b < top && needed(b + 1)) ++b;
    pass.last = b;
    align_kernel().loops(Real{}).advance(pass);
    cells_ += static_cast<int64_t>(pass.last - pass.first + 1) * 2 * align_block * frames;
  }
}

// Goes from the first frame to the last. Returns what must be added to the states there, −∞ if no path gets that far.
template <class In, class Real>
double PathFinder<In, Real>::forward(AlignWindow<Real>& window, const AlignLimits& limits, int64_t keep_every,
                                     Real* kept) {
  graph_.start(window.label.data(), window.blank.data());
  for (size_t b = 0; b < window.best.size(); ++b)
    for (size_t i = b * align_block; i < (b + 1) * align_block; ++i)
      window.best[b] = std::max({window.best[b], window.label[i], window.blank[i]});
  window.high = window.blocks - 1;
  Real best = window.most();
  window.prune(no_path<Real>, 0, window.high);
  double scale = 0;
  for (int64_t t = 0; best > no_path<Real>; t += align_frames) {
    if (t >= last_) return scale;
    const auto pass = static_cast<size_t>(t / align_frames);
    window.raise(low_block(graph_.first_final(), last_ - t, 0));
    if (window.low > window.high) break;  // the remaining states cannot reach the end
    if (keep_every && t % keep_every == 0) checkpoints_.push_back(window.checkpoint(t));
    // Only differences of scores matter; float32 scores near 0 keep more digits of them.
    offsets_[pass] = std::is_same_v<Real, float> ? best : 0;
    scale += static_cast<double>(offsets_[pass]);
    const int frames = static_cast<int>(std::min<int64_t>(align_frames, last_ - t));
    advance(window, t, frames, kept ? kept + t * 2 * window.width() : nullptr);
    best = window.most();
    const double threshold = threshold_of(limits, window, pass, static_cast<double>(best), scale, last_);
    const auto [from, to] = limits.corridor.empty() ? std::pair(0, window.blocks) : limits.corridor[pass];
    window.prune(static_cast<Real>(threshold), from, to);
  }
  return no_path<double>;
}

template <class In, class Real>
typename PathFinder<In, Real>::End PathFinder<In, Real>::end_of(const AlignWindow<Real>& window, double scale) const {
  const AlignItem<In>& item = graph_.item();
  End end{{0, false}, no_path<double>};
  if (scale == no_path<double>) return end;
  const auto offer = [&](PathState state, double weight) {  // ties: the later state wins
    const Real value = (state.label ? window.label : window.blank)[static_cast<size_t>(state.i)];
    const double score = static_cast<double>(value) + weight + scale;
    if (score >= end.log_prob && score > no_path<double>) end = {state, score};
  };
  for (int64_t i = graph_.first_final(); i <= item.count; ++i) {
    const PathState blank{i, false}, label{i, true};
    if (graph_.weighted() || i == item.count) offer(blank, item.weight(final_weight, blank.number()));
    if (i < item.count) offer(label, item.weight(final_weight, label.number()));
  }
  return end;
}

// Goes from `state` at frame `to` back to the state of the path at the checkpoint's frame.
template <class In, class Real>
PathState PathFinder<In, Real>::back(const Checkpoint<Real>& checkpoint, int64_t to, PathState state,
                                     SpanWriter<In>& writer) {
  const int64_t frames = to - checkpoint.frame;
  const int64_t lowest = std::max<int64_t>(state.i - graph_.reach() * frames, 0);
  const int first = static_cast<int>(lowest / align_block),
            blocks = static_cast<int>(state.i / align_block) - first + 1;
  AlignWindow<Real> window(checkpoint, first, blocks);
  const int64_t width = window.width(), states = (frames + 1) * 2 * width;
  if (states * static_cast<int64_t>(sizeof(Real)) > scratch_bytes && frames > align_frames)
    return back_through(checkpoint, window, to, state, writer);
  scratch_.resize(std::max(scratch_.size(), static_cast<size_t>(states)));
  std::copy(window.label.begin(), window.label.end(), scratch_.begin());
  std::copy(window.blank.begin(), window.blank.end(), scratch_.begin() + width);
  for (int64_t t = checkpoint.frame; t < to; t += align_frames)
    advance(window, t, static_cast<int>(std::min<int64_t>(align_frames, to - t)),
            scratch_.data() + (t - checkpoint.frame + 1) * 2 * width);
  return walk(scratch_.data(), width, static_cast<int64_t>(first) * align_block, checkpoint.frame, to, state, writer);
}

// The same with more checkpoints in between.
template <class In, class Real>
PathState PathFinder<In, Real>::back_through(const Checkpoint<Real>& checkpoint, AlignWindow<Real>& window, int64_t to,
                                             PathState state, SpanWriter<In>& writer) {
  const int64_t every = whole_passes((to - checkpoint.frame) / levels);
  std::vector<Checkpoint<Real>> checkpoints;
  for (int64_t t = checkpoint.frame; t < to; t += align_frames) {
    window.raise(low_block(state.i, to - t, window.first));
    if ((t - checkpoint.frame) % every == 0) checkpoints.push_back(window.checkpoint(t));
    advance(window, t, static_cast<int>(std::min<int64_t>(align_frames, to - t)), nullptr);
    window.prune(no_path<Real>, 0, window.blocks);
  }
  for (; !checkpoints.empty(); checkpoints.pop_back()) {
    state = back(checkpoints.back(), to, state, writer);
    to = checkpoints.back().frame;
  }
  return state;
}

template <class In, class Real>
PathState PathFinder<In, Real>::walk(const Real* states, int64_t width, int64_t window, int64_t from, int64_t to,
                                     PathState state, SpanWriter<In>& writer) const {
  for (int64_t t = to; t > from; --t) {
    const Real* const label = states + (t - 1 - from) * 2 * width;
    const Real offset = (t - 1) % align_frames ? Real{0} : offsets_[static_cast<size_t>((t - 1) / align_frames)];
    const PathState previous = before(label, label + width, window, offset, state);
    writer.step(t, previous, state);
    state = previous;
  }
  return state;
}

// Finds the previous state from the states of the previous frame. Ties: stay, advance, skip, hop, in this order.
template <class In, class Real>
PathState PathFinder<In, Real>::before(const Real* label, const Real* blank, int64_t window, Real offset,
                                       PathState state) const {
  PathState best = state;
  Real most = no_path<Real>;
  const auto offer = [&](int64_t labels, bool of_label, TransitionKind kind) {
    const int64_t i = state.i - labels;
    if (i < window) return;
    Real value = (of_label ? label : blank)[i - window] - offset;
    if (graph_.weighted()) value += graph_.transition(kind, state.i);
    if (!(value > most)) return;
    most = value;
    best = {i, of_label};
  };
  if (state.label) {
    offer(0, true, label_stay);
    offer(0, false, label_advance);
    if (graph_.weighted() || graph_.may_skip(state.i)) offer(1, true, label_skip);
    if (graph_.weighted()) offer(2, true, label_hop);
  } else {
    offer(0, false, blank_stay);
    offer(1, true, blank_advance);
    if (graph_.weighted()) offer(2, true, blank_hop);
  }
  return best;
}

template class PathFinder<float, float>;
template class PathFinder<float, double>;
template class PathFinder<double, double>;

}  // namespace ctckit
