// The states of one target and the transitions between them, as in topology.py, for code in log space.
#pragma once
#include <cstdint>
#include <limits>

#include "core/token_graph.hpp"

namespace ctckit {

struct States {
  const int32_t* target;
  int64_t tokens;
  int32_t blank;
  TokenGraph graph;  // without weights: plain CTC

  static constexpr double impossible = -std::numeric_limits<double>::infinity();

  int64_t count() const { return 2 * tokens + 1; }
  int32_t label(int64_t s) const { return s % 2 ? target[s / 2] : blank; }

  // Log-weights: of the transition s − k → s, of starting in s, of ending in s.
  double transition(int64_t k, int64_t s) const {
    if (graph.weights) return graph.weights[k * graph.states + s];
    return k < 2 || (k == 2 && s % 2 && label(s) != label(s - 2)) ? 0 : impossible;
  }
  double start(int64_t s) const { return graph.weights ? graph.of(start_weight)[s] : s < 2 ? 0 : impossible; }
  double final(int64_t s) const {
    return graph.weights ? graph.of(final_weight)[s] : s >= count() - 2 ? 0 : impossible;
  }
};

}  // namespace ctckit
