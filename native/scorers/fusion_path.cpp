#include "scorers/fusion_path.hpp"

#include <algorithm>

namespace ctckit {

FusionPath::FusionPath(const Scorers& scorers, std::span<const int32_t> before, std::span<const int32_t> tokens)
    : scorers_(scorers), tokens_(tokens.begin(), tokens.end()) {
  Context context = scorers.start();
  for (int32_t token : before) scorers.next(context, token);
  contexts_.push_back(context);
  for (int32_t token : tokens_) {
    gains_.push_back(gained(context, token));
    contexts_.push_back(context);
  }
}

double FusionPath::gained(Context& context, int32_t token) const {
  return scorers_.fusion_score(scorers_.next(context, token), 1);
}

double FusionPath::gained_at_end(const Context& context) const {
  return scorers_.fusion_score(scorers_.end(context), 0);
}

FusionPath::Change FusionPath::changed(size_t position, int32_t token) const {
  Change change{-gains_[position], {}, {}};
  Context context = contexts_[position];
  const auto add = [&](int32_t each) {
    change.gains.push_back(gained(context, each));
    change.contexts.push_back(context);
    change.gain += change.gains.back();
  };
  if (token != scorers_.plan().blank) add(token);
  size_t next = position + 1;
  for (; next < tokens_.size() && context != contexts_[next]; ++next) {
    change.gain -= gains_[next];
    add(tokens_[next]);
  }
  if (next == tokens_.size() && context != contexts_[next])
    change.gain += gained_at_end(context) - gained_at_end(contexts_[next]);
  return change;
}

double FusionPath::gain(size_t position, int32_t token) const { return changed(position, token).gain; }

void FusionPath::change(size_t position, int32_t token) {
  const Change change = changed(position, token);
  const auto at = static_cast<std::ptrdiff_t>(position);
  if (token != scorers_.plan().blank) {
    tokens_[position] = token;
  } else {
    tokens_.erase(tokens_.begin() + at);
    gains_.erase(gains_.begin() + at);
    contexts_.erase(contexts_.begin() + at + 1);
  }
  std::copy(change.gains.begin(), change.gains.end(), gains_.begin() + at);
  std::copy(change.contexts.begin(), change.contexts.end(), contexts_.begin() + at + 1);
}

}  // namespace ctckit
