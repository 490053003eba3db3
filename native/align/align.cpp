#include "align/align.hpp"

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "align/path.hpp"
#include "align/token_graph.hpp"
#include "core/threads.hpp"
#include "simd/dispatch.hpp"

namespace ctckit {

namespace {

template <class Real>
AlignItem<Real> item_of(const AlignBatch<Real>& batch, int64_t b) {
  return {batch.log_probs + b * batch.item_stride,
          batch.frame_stride,
          batch.input_lengths[b],
          batch.classes,
          batch.blank,
          batch.tokens + b * batch.token_stride,
          batch.token_lengths[b],
          batch.weights ? batch.weights + b * graph_weights * batch.states : nullptr,
          batch.states};
}

// A path without frames: every token has an empty span.
double align_nothing(bool possible, double weight, int64_t count, int64_t* starts, int64_t* ends) {
  if (!possible) return no_path<double>;
  std::fill_n(starts, count, 0);
  std::fill_n(ends, count, 0);
  return weight;
}

// The best path of an item that has frames.
template <class In>
class Aligner {
 public:
  Aligner(const AlignItem<In>& item, const AlignOptions& options, int64_t* starts, int64_t* ends)
      : item_(item), options_(options), starts_(starts), ends_(ends) {}

  double align() {
    if constexpr (std::is_same_v<In, float>)
      if (size() >= options_.single_from) return align_single();
    return find<double>({}, options_.checkpoint_frames);
  }
  int64_t cells() const { return cells_; }

 private:
  int64_t size() const { return item_.frames * 2 * item_.count; }

  // First a pass in float32, two or three times as fast; then a pass in float64 around that path. If paths have nearly
  // equal scores, the digits of float64 decide.
  double align_single() {
    PathFinder<In, float> finder(item_);
    const double found = finder.find(limits_for(finder), options_.checkpoint_frames, starts_, ends_);
    cells_ += finder.cells();
    if (found == no_path<double>) return found;
    return find<double>(corridor_limits(ends_, item_.count, item_.frames), 0);
  }

  // Finds states that cannot be on the best path, by a quick beam search for some good path.
  AlignLimits limits_for(PathFinder<In, float>& finder) const {
    if (item_.weights || size() < options_.prune_from) return {};
    AlignLimits beam;
    beam.beam = std::clamp(finder.graph().blocks() / beam_part, 2, most_blocks);
    const double bound = finder.score(beam);
    return bound > no_path<double> ? certified_limits(finder.graph(), bound) : AlignLimits{};
  }

  template <class Real>
  double find(const AlignLimits& limits, int64_t keep_every) {
    PathFinder<In, Real> finder(item_);
    const double found = finder.find(limits, keep_every, starts_, ends_);
    cells_ += finder.cells();
    return found;
  }

  static constexpr int most_blocks = 16, beam_part = 16;  // width of the beam: most blocks, and the part of all blocks

  const AlignItem<In>& item_;
  const AlignOptions& options_;
  int64_t *const starts_, *const ends_;
  int64_t cells_ = 0;
};

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
      Aligner<Real> aligner(item, options, starts, ends);
      paths.log_probs[b] = aligner.align();
      cells = aligner.cells();
    }
    if (paths.cells) paths.cells[b] = cells;
  });
}

template void align_batch<float>(const AlignBatch<float>&, const AlignOptions&, const AlignedPaths&);
template void align_batch<double>(const AlignBatch<double>&, const AlignOptions&, const AlignedPaths&);

}  // namespace ctckit
