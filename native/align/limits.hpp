// What a search for the best path may leave out.
#pragma once
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "align/token_graph.hpp"

namespace ctckit {

struct AlignLimits {
  static constexpr double nothing = -std::numeric_limits<double>::infinity();

  // Certified: a state is given up if it cannot be on a path that reaches `bound`, which the best one does. From the end of
  // pass k on no path gains more than rest[k + 1].
  double bound = nothing;
  std::vector<double> rest;

  // As many blocks as these at most, the best ones: what is found is a path, but may not be the best.
  int beam = 0;

  // Only these blocks in pass k.
  std::vector<std::pair<int, int>> corridor;
};

// The limits under which the best path is still found, given the score of any path.
template <class In, class Real>
AlignLimits certified_limits(const AlignGraph<In, Real>& graph, double bound);

// The neighborhood of a path.
AlignLimits corridor_limits(const int64_t* ends, int64_t count, int64_t frames);

}  // namespace ctckit
