// A batch, searched and rescored: one item is one task.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "scorers/scorers.hpp"
#include "search/rescoring.hpp"
#include "search/search.hpp"

namespace ctckit {

struct Decoded {
  std::vector<int32_t> tokens;
  Rescored rescored;
  Parts parts;
  double score;  // exact: of the rescored and the parts
};

// (B, T, C), classes side by side; lengths have been checked.
struct Posteriors {
  const float* log_probs;
  int64_t item_stride, frame_stride, items;
  const int64_t* lengths;

  const float* frame(int64_t b, int64_t t) const { return log_probs + b * item_stride + t * frame_stride; }
};

class Decoder {
 public:
  explicit Decoder(SearchPlan plan);

  const std::shared_ptr<const Scorers>& scorers() const { return scorers_; }

  // Of each item the n best texts of the beam, by their exact scores.
  std::vector<std::vector<Decoded>> decode(const Posteriors& posteriors, size_t n_best) const;

 private:
  std::vector<Decoded> decode_item(const Frames& frames, size_t n_best) const;
  Decoded scored(const Frames& frames, std::vector<int32_t> tokens) const;
  void refine_best(const Frames& frames, std::vector<Decoded>& texts) const;

  std::shared_ptr<const Scorers> scorers_;
  // Searches that have ended, for the next ones: their memory is warm.
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Search>> spare_;
};

// Whether every frame within the lengths has a possible class, and no NaN and nothing above `most`.
bool plausible(const Posteriors& posteriors, int classes, float most);

}  // namespace ctckit
