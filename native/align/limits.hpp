// The states that a search for the best path may leave out.
#pragma once
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "align/token_graph.hpp"

namespace ctckit {

struct AlignLimits {
  static constexpr double nothing = -std::numeric_limits<double>::infinity();

  // Certified pruning: drops a state that cannot be on a path with a score of at least `bound`. The best path has one.
  // After the end of pass k no path gains more than rest[k + 1].
  double bound = nothing;
  std::vector<double> rest;

  // A beam: keeps only this many of the best blocks. The result is a path, but maybe not the best one.
  int beam = 0;

  // A corridor: keeps only these blocks in pass k.
  std::vector<std::pair<int, int>> corridor;
};

// Limits that still allow the best path, given the score of any path.
template <class In, class Real>
AlignLimits certified_limits(const AlignGraph<In, Real>& graph, double bound);

// Limits to the neighborhood of a path.
AlignLimits corridor_limits(const int64_t* ends, int64_t count, int64_t frames);

}  // namespace ctckit
