#include "align/spans.hpp"

namespace ctckit {

// Gives empty spans at frame t to the tokens that the path passes over between two states.
template <class In>
void SpanWriter<In>::leave_out(int64_t after, int64_t before, int64_t t) {
  for (int64_t s = (after + 1) | 1; s < before; s += 2) starts_[s / 2] = ends_[s / 2] = t;
}

template <class In>
void SpanWriter<In>::end(PathState state) {
  leave_out(state.number(), 2 * item_.count + 1, item_.frames);
  if (state.label) ends_[state.i] = item_.frames;
  log_prob_ = item_.weight(final_weight, state.number());
}

template <class In>
void SpanWriter<In>::step(int64_t t, PathState from, PathState to) {
  const int64_t moved = to.number() - from.number();
  log_prob_ += item_.emission(t, to.i, to.label) + item_.weight(static_cast<int>(moved), to.number());
  if (moved == 0) return;
  if (to.label) starts_[to.i] = t;
  leave_out(from.number(), to.number(), t);
  if (from.label) ends_[from.i] = t;
}

template <class In>
double SpanWriter<In>::begin(PathState state) {
  if (state.label) starts_[state.i] = 0;
  leave_out(-1, state.number(), 0);
  return log_prob_ + item_.emission(0, state.i, state.label) + item_.weight(start_weight, state.number());
}

template class SpanWriter<float>;
template class SpanWriter<double>;

}  // namespace ctckit
