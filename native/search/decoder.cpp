#include "search/decoder.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/threads.hpp"
#include "simd/dispatch.hpp"

namespace ctckit {

Decoder::Decoder(SearchPlan plan) : scorers_(std::make_shared<const Scorers>(std::move(plan))) {}

Decoder::Decoder(const Decoder& other, const Ragged& hotwords, const std::vector<float>& weights)
    : scorers_(std::make_shared<const Scorers>(*other.scorers_, hotwords, weights)) {}

std::vector<Decoded> Decoder::decode_item(const Rows<float>& frames, size_t n_best) const {
  std::unique_ptr<Search> search;
  {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      search = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (search) {
    search->reset();
  } else {
    search = std::make_unique<Search>(scorers_);
  }
  search->push(frames.log_probs, frames.stride, frames.count);
  std::vector<Decoded> result = ranked(*search, *search->scorers(), frames, {}, n_best);
  if (search->scorers()->has_sessions()) return result;  // a session ends with its item
  const std::lock_guard lock(mutex_);
  spare_.push_back(std::move(search));
  return result;
}

std::vector<std::vector<Decoded>> Decoder::decode(const Posteriors& posteriors, size_t n_best) const {
  const SearchPlan& plan = scorers_->plan();
  std::vector<std::vector<Decoded>> results(static_cast<size_t>(posteriors.items));
  // The longest items first, so that no thread starts a long item at the end.
  std::vector<int64_t> order(results.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return posteriors.lengths[a] > posteriors.lengths[b]; });
  parallel_for(posteriors.items, [&](int64_t k) {
    const int64_t b = order[static_cast<size_t>(k)];
    const Rows<float> frames{posteriors.frame(b, 0), posteriors.frame_stride, posteriors.lengths[b], plan.classes,
                             plan.blank};
    try {
      results[static_cast<size_t>(b)] = decode_item(frames, n_best);
    } catch (...) {
      throw ItemError{b, std::current_exception()};
    }
  });
  return results;
}

namespace {

constexpr int64_t looked_at = 32;              // frames
constexpr double least = 0.9, greatest = 1.1;  // half precision changes the sum of a frame by less than a hundredth

bool sums_to_one(const float* frame, int classes, std::vector<float>& probs) {
  const float top = beam_kernels().exponentials(frame, classes, probs.data());
  const double sum = std::accumulate(probs.begin(), probs.end(), 0.0) * std::exp(static_cast<double>(top));
  return sum > least && sum < greatest;
}

}  // namespace

bool plausible(const Posteriors& posteriors, int classes, float most) {
  int64_t total = 0, next = 0, seen = 0;
  for (int64_t b = 0; b < posteriors.items; ++b) total += posteriors.lengths[b];
  std::vector<float> probs(static_cast<size_t>(whole_blocks(classes)));
  for (int64_t b = 0; b < posteriors.items; ++b)
    for (int64_t t = 0; t < posteriors.lengths[b]; ++t, ++seen) {
      if (!beam_kernels().plausible(posteriors.frame(b, t), classes, most)) return false;
      if (seen < next) continue;
      if (!sums_to_one(posteriors.frame(b, t), classes, probs)) return false;
      next = seen + std::max<int64_t>(total / looked_at, 1);
    }
  return true;
}

}  // namespace ctckit
