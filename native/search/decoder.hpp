// The decoder: searches a batch and rescores the texts it finds; one item is one task.
#pragma once
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "scorers/scorers.hpp"
#include "search/ranking.hpp"
#include "search/search.hpp"

namespace ctckit {

// (B, T, C), classes contiguous. The caller has checked the lengths.
struct Posteriors {
  const float* log_probs;
  int64_t item_stride, frame_stride, items;
  const int64_t* lengths;

  const float* frame(int64_t b, int64_t t) const { return log_probs + b * item_stride + t * frame_stride; }
};

// What stopped decode(), and in which item.
struct ItemError {
  int64_t item;
  std::exception_ptr cause;
};

class Decoder {
 public:
  explicit Decoder(SearchPlan plan);
  // A decoder with other hotwords; the rest is shared.
  Decoder(const Decoder& other, const Ragged& hotwords, const std::vector<float>& weights);

  const std::shared_ptr<const Scorers>& scorers() const { return scorers_; }

  // Returns the n best texts of the beam for each item, sorted by exact scores. Throws an ItemError.
  std::vector<std::vector<Decoded>> decode(const Posteriors& posteriors, size_t n_best) const;

 private:
  std::vector<Decoded> decode_item(const Rows<float>& frames, size_t n_best) const;

  std::shared_ptr<const Scorers> scorers_;
  // Finished searches, kept for reuse of their memory.
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Search>> spare_;
};

// Whether every frame within the lengths has a possible class, no NaN, and nothing above `most`; and whether the
// probabilities of a frame sum to nearly 1, in the few frames that are looked at.
bool plausible(const Posteriors& posteriors, int classes, float most);

}  // namespace ctckit
