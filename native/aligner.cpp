#include "aligner.hpp"

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "align_chain.hpp"
#include "align_path.hpp"
#include "dispatch.hpp"
#include "threads.hpp"

namespace ctckit {

namespace {

template <class Real>
AlignItem<Real> item_of(const AlignBatch<Real>& batch, int64_t b) {
  return {batch.log_probs + b * batch.item_stride, batch.frame_stride, batch.input_lengths[b], batch.classes, batch.blank,
          batch.tokens + b * batch.token_stride, batch.token_lengths[b],
          batch.weights ? batch.weights + b * 7 * batch.states : nullptr, batch.states};
}

// A path without frames: all tokens are left out.
double align_nothing(bool possible, double weight, int64_t count, int64_t* starts, int64_t* ends) {
  if (!possible) return no_path<double>;
  std::fill_n(starts, count, 0);
  std::fill_n(ends, count, 0);
  return weight;
}

}  // namespace

template <class Real>
void align_batch(const AlignBatch<Real>& batch, const AlignOptions& options, const AlignedPaths& paths) {
  parallel_for(batch.items, [&](int64_t b) {
    const AlignItem<Real> item = item_of(batch, b);
    int64_t *const starts = paths.starts + b * batch.token_stride, *const ends = paths.ends + b * batch.token_stride;
    int64_t cells = 0;
    if (item.frames == 0) {
      const double weight = batch.empty ? batch.empty[b] : 0;
      const bool possible = batch.empty ? weight > no_path<double> : item.count == 0;
      paths.log_probs[b] = align_nothing(possible, weight, item.count, starts, ends);
    } else {
      PathFinder<Real> finder(item, options);
      paths.log_probs[b] = finder.find(starts, ends);
      cells = finder.cells();
    }
    if (paths.cells) paths.cells[b] = cells;
  });
}

template void align_batch<float>(const AlignBatch<float>&, const AlignOptions&, const AlignedPaths&);
template void align_batch<double>(const AlignBatch<double>&, const AlignOptions&, const AlignedPaths&);

}  // namespace ctckit
