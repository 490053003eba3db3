#include "align/window.hpp"

#include <algorithm>

namespace ctckit {

namespace {

constexpr int64_t position(int block) { return static_cast<int64_t>(block) * align_block; }

}  // namespace

template <class Real>
AlignWindow<Real>::AlignWindow(int first_block, int count)
    : first(first_block),
      blocks(count),
      label(static_cast<size_t>(position(count)), no_path<Real>),
      blank(label),
      best(static_cast<size_t>(count), no_path<Real>),
      alive(static_cast<size_t>(count), 0) {}

template <class Real>
AlignWindow<Real>::AlignWindow(const Checkpoint<Real>& checkpoint, int first_block, int count)
    : AlignWindow(first_block, count) {
  const int from = std::max(first, checkpoint.first),
            to = std::min(first + blocks, checkpoint.first + checkpoint.blocks);
  if (from >= to) return;
  std::copy_n(checkpoint.label() + position(from - checkpoint.first), position(to - from),
              label.begin() + position(from - first));
  std::copy_n(checkpoint.blank() + position(from - checkpoint.first), position(to - from),
              blank.begin() + position(from - first));
  std::fill(alive.begin() + (from - first), alive.begin() + (to - first), uint8_t{1});
  high = to - first - 1;
}

template <class Real>
Real AlignWindow<Real>::most() const {
  return *std::max_element(best.begin() + low, best.end());
}

template <class Real>
void AlignWindow<Real>::prune(Real threshold, int from, int to) {
  const int top = std::min(high + 1, blocks - 1);
  high = low - 1;
  for (int b = low; b <= top; ++b) {
    const auto at = static_cast<size_t>(b);
    alive[at] = best[at] > threshold && b >= from && b <= to;
    if (alive[at]) high = b;
    if (best[at] == no_path<Real> || alive[at]) continue;
    std::fill_n(label.begin() + position(b), align_block, no_path<Real>);
    std::fill_n(blank.begin() + position(b), align_block, no_path<Real>);
    best[at] = no_path<Real>;
  }
  while (low < high && !alive[static_cast<size_t>(low)]) ++low;
}

template <class Real>
Checkpoint<Real> AlignWindow<Real>::checkpoint(int64_t frame) const {
  const int count = std::max(high - low + 1, 1);
  const auto from = position(low), size = position(count);
  Checkpoint<Real> result{frame, first + low, count, {}};
  result.states.reserve(static_cast<size_t>(2 * size));
  result.states.insert(result.states.end(), label.begin() + from, label.begin() + from + size);
  result.states.insert(result.states.end(), blank.begin() + from, blank.begin() + from + size);
  return result;
}

template struct AlignWindow<float>;
template struct AlignWindow<double>;

}  // namespace ctckit
