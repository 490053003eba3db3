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
AlignWindow<Real>::AlignWindow(const KeptRow<Real>& row, int first_block, int count) : AlignWindow(first_block, count) {
  const int from = std::max(first, row.first), to = std::min(first + blocks, row.first + row.blocks);
  if (from >= to) return;
  std::copy_n(row.label() + position(from - row.first), position(to - from), label.begin() + position(from - first));
  std::copy_n(row.blank() + position(from - row.first), position(to - from), blank.begin() + position(from - first));
  std::fill(alive.begin() + (from - first), alive.begin() + (to - first), uint8_t{1});
  high = to - first - 1;
}

template <class Real>
Real AlignWindow<Real>::most() const {
  return *std::max_element(best.begin() + low, best.end());
}

template <class Real>
void AlignWindow<Real>::settle(Real threshold, int from, int to) {
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
KeptRow<Real> AlignWindow<Real>::kept(int64_t frame) const {
  const int count = std::max(high - low + 1, 1);
  const auto from = position(low), size = position(count);
  KeptRow<Real> row{frame, first + low, count, {}};
  row.states.reserve(static_cast<size_t>(2 * size));
  row.states.insert(row.states.end(), label.begin() + from, label.begin() + from + size);
  row.states.insert(row.states.end(), blank.begin() + from, blank.begin() + from + size);
  return row;
}

template struct AlignWindow<float>;
template struct AlignWindow<double>;

}  // namespace ctckit
