#include "search/decoder.hpp"

#include <algorithm>
#include <numeric>

#include "core/threads.hpp"
#include "search/refinement.hpp"
#include "simd/dispatch.hpp"

namespace ctckit {

namespace {

constexpr int max_rounds = 4;  // of refinements

void rescore_it(const Frames& frames, Decoded& text) {
  text.rescored = rescore(frames, text.tokens, text.rescored.log_prob);
}

// The score that the scorers add to log p(y | x).
double fusion_score(const SearchPlan& plan, const Parts& parts, size_t tokens) {
  // The charge may be ∞, and 0 · ∞ must be 0 here.
  const double charge = parts.oov_letters ? plan.oov_charge * static_cast<double>(parts.oov_letters) : 0;
  return plan.token_lm_weight * parts.token_lm_log_prob + plan.word_lm_weight * parts.word_lm_log_prob +
         plan.word_bonus * static_cast<double>(parts.words.size()) + plan.token_bonus * static_cast<double>(tokens) -
         charge + parts.hotwords;
}

}  // namespace

Decoder::Decoder(SearchPlan plan) : scorers_(std::make_shared<const Scorers>(std::move(plan))) {}

std::vector<Decoded> Decoder::decode_item(const Frames& frames, size_t n_best) const {
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
  std::vector<Decoded> result;
  for (Found& found : search->contenders(n_best)) result.push_back(scored(frames, std::move(found.tokens)));
  std::stable_sort(result.begin(), result.end(), [](const Decoded& a, const Decoded& b) { return a.score > b.score; });
  if (!result.empty()) refine_best(frames, result);
  result.resize(std::min(result.size(), n_best));
  for (size_t k = 1; k < result.size(); ++k) rescore_it(frames, result[k]);
  const std::lock_guard lock(mutex_);
  spare_.push_back(std::move(search));
  return result;
}

Decoded Decoder::scored(const Frames& frames, std::vector<int32_t> tokens) const {
  Decoded result{std::move(tokens), {}, {}, 0};
  result.parts = scorers_->parts(result.tokens);
  result.rescored.log_prob = log_prob_of(frames, result.tokens);
  result.score = result.rescored.log_prob + fusion_score(scorers_->plan(), result.parts, result.tokens.size());
  return result;
}

// Refines the first text as long as that improves its score, and puts each better text in front. `texts` are scored and
// sorted. On return the first text is rescored.
void Decoder::refine_best(const Frames& frames, std::vector<Decoded>& texts) const {
  rescore_it(frames, texts.front());
  for (int round = 0; round < max_rounds; ++round) {
    Decoded best = texts.front();
    bool better = false;
    for (const Refinement& refinement : find_refinements(frames, best.tokens, best.rescored)) {
      Decoded other = scored(frames, refined(best.tokens, refinement, frames.blank));
      if (!(other.score > best.score)) continue;
      best = std::move(other);
      better = true;
    }
    if (!better) return;
    rescore_it(frames, best);
    std::erase_if(texts, [&](const Decoded& each) { return each.tokens == best.tokens; });
    texts.insert(texts.begin(), std::move(best));
  }
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
    const Frames frames{posteriors.frame(b, 0), posteriors.frame_stride, posteriors.lengths[b], plan.classes,
                        plan.blank};
    results[static_cast<size_t>(b)] = decode_item(frames, n_best);
  });
  return results;
}

bool plausible(const Posteriors& posteriors, int classes, float most) {
  for (int64_t b = 0; b < posteriors.items; ++b)
    for (int64_t t = 0; t < posteriors.lengths[b]; ++t)
      if (!beam_kernels().plausible(posteriors.frame(b, t), classes, most)) return false;
  return true;
}

}  // namespace ctckit
