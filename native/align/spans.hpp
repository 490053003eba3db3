// Writes the span of each token of a path, from the end of the path to its beginning.
#pragma once
#include "align/token_graph.hpp"

namespace ctckit {

// A state of a path: label i or blank i.
struct PathState {
  int64_t i;
  bool label;

  int64_t number() const { return 2 * i + label; }
};

template <class In>
class SpanWriter {
 public:
  SpanWriter(const AlignItem<In>& item, int64_t* starts, int64_t* ends) : item_(item), starts_(starts), ends_(ends) {}

  void end(PathState state);
  // The path entered `to` at frame t, coming from `from`.
  void step(int64_t t, PathState from, PathState to);
  // Returns the path's log-probability.
  double begin(PathState state);

 private:
  void leave_out(int64_t after, int64_t before, int64_t t);

  const AlignItem<In>& item_;
  int64_t *const starts_, *const ends_;
  double log_prob_ = 0;
};

}  // namespace ctckit
