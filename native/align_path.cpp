#include "align_path.hpp"

#include <algorithm>
#include <type_traits>

#include "dispatch.hpp"

namespace ctckit {

namespace {

constexpr int64_t scratch_bytes = 1 << 18;   // rows of a stretch that are kept all at once: they stay in the cache
constexpr int64_t prune_from = 1 << 24;      // cells; fewer are computed faster than judged
constexpr int levels = 8;                    // stretches that one is divided into, on the way back

int64_t whole_passes(int64_t frames) { return std::max<int64_t>(frames / align_frames, 1) * align_frames; }

}  // namespace

template <class Real>
AlignWindow<Real>::AlignWindow(int first_block, int count)
    : first(first_block), blocks(count), label(static_cast<size_t>(count) * align_block, no_path<Real>), blank(label),
      best(static_cast<size_t>(count), no_path<Real>), alive(static_cast<size_t>(count), 0) {}

template <class Real>
AlignWindow<Real>::AlignWindow(const KeptRow<Real>& row, int first_block, int count) : AlignWindow(first_block, count) {
  const int from = std::max(first, row.first), to = std::min(first + blocks, row.first + row.blocks);
  if (from >= to) return;
  const int64_t size = static_cast<int64_t>(to - from) * align_block;
  const int64_t source = static_cast<int64_t>(from - row.first) * align_block, target = static_cast<int64_t>(from - first) * align_block;
  std::copy_n(row.label() + source, size, label.begin() + target);
  std::copy_n(row.blank() + source, size, blank.begin() + target);
  std::fill(alive.begin() + (from - first), alive.begin() + (to - first), uint8_t{1});
}

template <class Real>
KeptRow<Real> AlignWindow<Real>::kept(int64_t frame, int from) const {
  while (from < blocks - 1 && !alive[static_cast<size_t>(from)]) ++from;
  int to = blocks;
  while (to > from + 1 && !alive[static_cast<size_t>(to - 1)]) --to;
  const int64_t size = static_cast<int64_t>(to - from) * align_block, source = static_cast<int64_t>(from) * align_block;
  KeptRow<Real> row{frame, first + from, to - from, {}};
  row.states.reserve(static_cast<size_t>(2 * size));
  row.states.insert(row.states.end(), label.begin() + source, label.begin() + source + size);
  row.states.insert(row.states.end(), blank.begin() + source, blank.begin() + source + size);
  return row;
}

// Which states are worth going on from after each pass.
template <class Real>
struct PathFinder<Real>::Limits {
  Real beam = -no_path<Real>;              // nats behind the best
  double bound = no_path<double>;          // of the best path, from below
  const std::vector<double>* rest = nullptr;  // from the end of each pass on: no path gains more

  Real threshold(size_t pass, Real best, double scale) const {
    if (rest) return static_cast<Real>(bound - (*rest)[pass] - scale);
    return best - beam;
  }
};

template <class Real>
PathFinder<Real>::PathFinder(const AlignItem<Real>& item, const AlignOptions& options)
    : chain_(item), options_(options), last_(item.frames - 1),
      offsets_(static_cast<size_t>(last_ / align_frames) + 2, Real{0}) {}

// The lowest block of a window from which `target` can still be reached.
template <class Real>
int PathFinder<Real>::low_block(int64_t target, int64_t frames_left, int window) const {
  return std::max(static_cast<int>(std::max<int64_t>(target - chain_.reach() * frames_left, 0) / align_block) - window, 0);
}

// Frames t + 1 … t + frames, for the blocks that something can be in; all of them where the rows are kept.
template <class Real>
void PathFinder<Real>::advance(AlignWindow<Real>& window, int64_t t, int frames, int low, Real* kept) {
  AlignPass<Real> pass{};
  chain_.prepare(pass, t + 1, frames, window.first, window.uses);
  pass.label = window.label.data();
  pass.blank = window.blank.data();
  pass.best = window.best.data();
  pass.offset = offsets_[static_cast<size_t>(t / align_frames)];
  pass.kept = kept;
  pass.kept_width = static_cast<int64_t>(window.blocks) * align_block;
  const auto needed = [&](int b) {
    return kept || window.alive[static_cast<size_t>(b)] || (b > low && window.alive[static_cast<size_t>(b - 1)]);
  };
  for (int b = low; b < window.blocks; ++b) {
    if (!needed(b)) continue;
    pass.first = b;
    while (b + 1 < window.blocks && needed(b + 1)) ++b;
    pass.last = b;
    align_kernel().loops(Real{}).advance(pass);
    cells_ += static_cast<int64_t>(pass.last - pass.first + 1) * 2 * align_block * frames;
  }
}

// Blocks without a state above the threshold are given up. Returns the best state.
template <class Real>
Real PathFinder<Real>::settle(AlignWindow<Real>& window, int low, Real threshold) const {
  Real most = no_path<Real>;
  for (size_t b = static_cast<size_t>(low); b < window.best.size(); ++b) {
    Real& best = window.best[b];
    most = std::max(most, best);
    window.alive[b] = best > threshold;
    if (best == no_path<Real> || window.alive[b]) continue;
    std::fill_n(window.label.begin() + static_cast<int64_t>(b) * align_block, align_block, no_path<Real>);
    std::fill_n(window.blank.begin() + static_cast<int64_t>(b) * align_block, align_block, no_path<Real>);
    best = no_path<Real>;
  }
  return most;
}

// From the first frame to the last; returns what has to be added to the rows there, −∞ where no path goes so far.
template <class Real>
double PathFinder<Real>::forward(AlignWindow<Real>& window, const Limits& limits, int64_t keep_every, Real* kept) {
  chain_.start(window.label.data(), window.blank.data());
  for (size_t b = 0; b < window.best.size(); ++b) {
    const auto from = static_cast<int64_t>(b) * align_block;
    window.best[b] = std::max(*std::max_element(window.label.begin() + from, window.label.begin() + from + align_block),
                              *std::max_element(window.blank.begin() + from, window.blank.begin() + from + align_block));
  }
  Real best = settle(window, 0, no_path<Real>);
  double scale = 0;
  for (int64_t t = 0; best > no_path<Real>; t += align_frames) {
    if (t >= last_) return scale;
    const int low = low_block(chain_.first_final(), last_ - t, 0);
    if (keep_every && t % keep_every == 0) rows_.push_back(window.kept(t, low));
    const auto pass = static_cast<size_t>(t / align_frames);
    // Differences are what counts: single-precision scores near 0 have the digits for them.
    offsets_[pass] = std::is_same_v<Real, float> ? best : 0;
    scale += static_cast<double>(offsets_[pass]);
    const int frames = static_cast<int>(std::min<int64_t>(align_frames, last_ - t));
    advance(window, t, frames, low, kept ? kept + t * 2 * window.blocks * align_block : nullptr);
    best = *std::max_element(window.best.begin() + low, window.best.end());
    settle(window, low, limits.threshold(pass + 1, best, scale));
  }
  return no_path<double>;
}

template <class Real>
typename PathFinder<Real>::End PathFinder<Real>::end_of(const AlignWindow<Real>& window, double scale) const {
  const AlignItem<Real>& item = chain_.item();
  const int64_t count = item.count;
  End end{{0, false}, no_path<double>};
  const auto offer = [&](int64_t i, bool label, double weight) {  // among equals the later state
    const double score = static_cast<double>((label ? window.label : window.blank)[static_cast<size_t>(i)]) + weight + scale;
    if (score >= end.log_prob && score > no_path<double>) end = {{i, label}, score};
  };
  if (!chain_.weighted()) {
    if (count > 0) offer(count - 1, true, 0);
    offer(count, false, 0);
    return end;
  }
  for (int64_t i = chain_.first_final(); i <= count; ++i) {
    offer(i, false, item.weight(6, 2 * i));
    if (i < count) offer(i, true, item.weight(6, 2 * i + 1));
  }
  return end;
}

template <class Real>
double PathFinder<Real>::find(int64_t* starts, int64_t* ends) {
  const AlignItem<Real>& item = chain_.item();
  PathWriter<Real> writer(item, starts, ends);
  AlignWindow<Real> window(0, chain_.blocks());
  window.uses = chain_.uses(0, chain_.blocks());
  const int64_t width = static_cast<int64_t>(chain_.blocks()) * align_block, row_bytes = 2 * width * static_cast<int64_t>(sizeof(Real));
  if (item.frames * row_bytes <= scratch_bytes) {
    scratch_.assign(static_cast<size_t>(item.frames * 2 * width), no_path<Real>);
    chain_.start(scratch_.data(), scratch_.data() + width);
    const End end = end_of(window, forward(window, {}, 0, scratch_.data() + 2 * width));
    if (end.log_prob == no_path<double>) return end.log_prob;
    writer.end(end.state);
    return writer.begin(walk(scratch_.data(), width, 0, 0, last_, end.state, writer));
  }
  const int64_t every = options_.checkpoint_frames ? options_.checkpoint_frames : std::max<int64_t>(item.count / 16, 256);
  const End end = end_of(window, forward(window, {}, whole_passes(every), nullptr));
  if (end.log_prob == no_path<double>) return end.log_prob;
  writer.end(end.state);
  PathState state = end.state;
  for (int64_t to = last_; !rows_.empty(); rows_.pop_back()) {
    state = back(rows_.back(), to, state, writer);
    to = rows_.back().frame;
  }
  return writer.begin(state);
}

// From `state` at frame `to` to where the path is at the kept row's frame.
template <class Real>
PathState PathFinder<Real>::back(const KeptRow<Real>& row, int64_t to, PathState state, PathWriter<Real>& writer) {
  if (to == row.frame) return state;
  const int64_t lowest = std::max<int64_t>(state.i - chain_.reach() * (to - row.frame), 0);
  const int first = static_cast<int>(lowest / align_block), blocks = static_cast<int>(state.i / align_block) - first + 1;
  const int64_t width = static_cast<int64_t>(blocks) * align_block;
  AlignWindow<Real> window(row, first, blocks);
  window.uses = chain_.uses(first, blocks);
  if ((to - row.frame + 1) * 2 * width * static_cast<int64_t>(sizeof(Real)) > scratch_bytes && to - row.frame > align_frames)
    return back_through(row, window, to, state, writer);
  scratch_.resize(static_cast<size_t>((to - row.frame + 1) * 2 * width));
  std::copy(window.label.begin(), window.label.end(), scratch_.begin());
  std::copy(window.blank.begin(), window.blank.end(), scratch_.begin() + width);
  for (int64_t t = row.frame; t < to; t += align_frames)
    advance(window, t, static_cast<int>(std::min<int64_t>(align_frames, to - t)), 0,
            scratch_.data() + (t - row.frame + 1) * 2 * width);
  return walk(scratch_.data(), width, static_cast<int64_t>(first) * align_block, row.frame, to, state, writer);
}

// The same, by rows that are kept in between.
template <class Real>
PathState PathFinder<Real>::back_through(const KeptRow<Real>& row, AlignWindow<Real>& window, int64_t to, PathState state,
                                         PathWriter<Real>& writer) {
  const int64_t every = whole_passes((to - row.frame) / levels);
  std::vector<KeptRow<Real>> rows;
  for (int64_t t = row.frame; t < to; t += align_frames) {
    const int low = low_block(state.i, to - t, window.first);
    if ((t - row.frame) % every == 0) rows.push_back(window.kept(t, low));
    advance(window, t, static_cast<int>(std::min<int64_t>(align_frames, to - t)), low, nullptr);
    settle(window, low, no_path<Real>);
  }
  for (; !rows.empty(); rows.pop_back()) {
    state = back(rows.back(), to, state, writer);
    to = rows.back().frame;
  }
  return state;
}

template <class Real>
PathState PathFinder<Real>::walk(const Real* rows, int64_t width, int64_t window, int64_t from, int64_t to, PathState state,
                                 PathWriter<Real>& writer) const {
  for (int64_t t = to; t > from; --t) {
    const Real* const label = rows + (t - 1 - from) * 2 * width;
    const Real offset = (t - 1) % align_frames ? Real{0} : offsets_[static_cast<size_t>((t - 1) / align_frames)];
    const PathState previous = before(label, label + width, window, offset, state);
    writer.step(t, previous, state);
    state = previous;
  }
  return state;
}

// Where the path came from, by the rows of the frame before: among equals stay, advance, skip, hop.
template <class Real>
PathState PathFinder<Real>::before(const Real* label, const Real* blank, int64_t window, Real offset, PathState state) const {
  const int64_t i = state.i;
  PathState best = state;
  Real most = no_path<Real>;
  const auto offer = [&](int64_t back, bool of_label, AlignArrow kind) {
    if (i - back < window) return;
    Real value = (of_label ? label : blank)[i - back - window] - offset;
    if (chain_.weighted()) value += chain_.arrow(kind, i);
    if (!(value > most)) return;
    most = value;
    best = {i - back, of_label};
  };
  if (!state.label) {
    offer(0, false, blank_stay);
    offer(1, true, blank_advance);
    if (chain_.weighted()) offer(2, true, blank_hop);
    return best;
  }
  offer(0, true, label_stay);
  offer(0, false, label_advance);
  if (chain_.weighted() || chain_.may_skip(i)) offer(1, true, label_skip);
  if (chain_.weighted()) offer(2, true, label_hop);
  return best;
}

// Tokens between two states that follow each other at frame t.
template <class Real>
void PathWriter<Real>::leave_out(int64_t after, int64_t before, int64_t t) {
  for (int64_t s = (after + 1) | 1; s < before; s += 2) starts_[s / 2] = ends_[s / 2] = t;
}

template <class Real>
void PathWriter<Real>::end(PathState state) {
  leave_out(number(state), 2 * item_.count + 1, item_.frames);
  if (state.label) ends_[state.i] = item_.frames;
  log_prob_ = item_.weight(6, number(state));
}

template <class Real>
void PathWriter<Real>::step(int64_t t, PathState from, PathState to) {
  const int64_t moved = number(to) - number(from);
  log_prob_ += item_.emission(t, to.i, to.label) + item_.weight(static_cast<int>(moved), number(to));
  if (moved == 0) return;
  if (to.label) starts_[to.i] = t;
  leave_out(number(from), number(to), t);
  if (from.label) ends_[from.i] = t;
}

template <class Real>
double PathWriter<Real>::begin(PathState state) {
  if (state.label) starts_[state.i] = 0;
  leave_out(-1, number(state), 0);
  return log_prob_ + item_.emission(0, state.i, state.label) + item_.weight(5, number(state));
}

template struct AlignWindow<float>;
template struct AlignWindow<double>;
template class PathWriter<float>;
template class PathWriter<double>;
template class PathFinder<float>;
template class PathFinder<double>;

}  // namespace ctckit
