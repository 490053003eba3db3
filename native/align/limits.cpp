#include "align/limits.hpp"

#include <algorithm>

namespace ctckit {

namespace {

constexpr int64_t passes(int64_t frames) { return (frames - 1 + align_frames - 1) / align_frames; }

}  // namespace

template <class In, class Real>
AlignLimits certified_limits(const AlignGraph<In, Real>& graph, double bound) {
  AlignLimits limits;
  limits.bound = bound;
  const int64_t frames = graph.item().frames, count = passes(frames);
  limits.rest.assign(static_cast<size_t>(count) + 1, 0);
  const AlignUses uses = graph.uses(0, graph.blocks());
  double sum = 0;
  for (int64_t t = frames - 1; t > 0; --t) {
    sum += graph.greatest(t, uses);
    if ((t - 1) % align_frames == 0) limits.rest[static_cast<size_t>((t - 1) / align_frames)] = sum;
  }
  return limits;
}

AlignLimits corridor_limits(const int64_t* ends, int64_t count, int64_t frames) {
  AlignLimits limits;
  int64_t i = 0;
  const auto at = [&](int64_t t) {  // the label at frame t, or the first label after it
    while (i < count && ends[i] <= t) ++i;
    return i;
  };
  for (int64_t t = 0; t < frames - 1; t += align_frames) {
    const int64_t from = at(t), to = at(std::min(t + align_frames, frames - 1));
    limits.corridor.emplace_back(static_cast<int>(std::max<int64_t>(from - align_block, 0) / align_block),
                                 static_cast<int>((to + align_block) / align_block));
  }
  return limits;
}

template AlignLimits certified_limits(const AlignGraph<float, float>&, double);
template AlignLimits certified_limits(const AlignGraph<float, double>&, double);
template AlignLimits certified_limits(const AlignGraph<double, double>&, double);

}  // namespace ctckit
