// Prefix beam search over one item, frame by frame (Graves 2006, §7.5.2; Hannun et al. 2014, with edge scorers).
//
// A prefix u of the text has the mass of all alignments that spell it so far, in two parts: those that end in a blank, and
// those that end in u's last token. In each frame
//
//     blank(u) ← (blank(u) + label(u)) · p(blank)
//     label(u) ← label(u) · p(last(u)) + arriving · factor(u) · p(last(u))
//
// where `arriving` is the whole mass of u's parent, or its blank part alone if both end in the same token, and factor(u)
// is what language models and hotwords make of u's last token (scorers/scorers.hpp). Of all prefixes the `beam_width` with the most
// mass are kept.
//
// Masses are float32 under one shared scale; what falls 2^116 and more behind the best is dropped. The log-probability of what
// is found is computed afresh (search/rescoring.hpp). A prefix' masses only come from
// itself and its parent, so that nothing needs to be looked up by its tokens: each entry knows where in the beam its parent
// is, and an extension exists already just where a child of the entry is in the beam.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "scorers/scorers.hpp"
#include "search/beam.hpp"
#include "search/candidates.hpp"

namespace ctckit {

struct Found {
  std::vector<int32_t> tokens;  // since the last forget()
  double score;                 // log mass, with the factor of the text's end; nats
};

class Search {
 public:
  explicit Search(std::shared_ptr<const Scorers> scorers);

  // Back to the empty text, frame 0.
  void reset() { beam_.reset(scorers_->start()); }

  // More frames, (frames, classes) with classes side by side; finite or −∞.
  void push(const float* log_probs, int64_t frame_stride, int64_t frames);

  // The best n texts, best first: as if the text ended here, or in the order of the beam, by mass.
  std::vector<Found> best(size_t n, bool ended) const;

  // The best n, and those that the exact scores may put before them: less than half a nat behind, 16 at most. The beam loses
  // a part of a text's mass, some hundredths of a nat.
  std::vector<Found> contenders(size_t n) const;

  // The tokens that all texts of the beam begin with, since the last forget().
  std::vector<int32_t> stable() { return beam_.stable(); }
  // The first `count` tokens of stable() are not asked for again.
  void forget(size_t count) { beam_.forget(count); }
  // Gives up all texts that do not begin with these tokens, counted from the last forget().
  void keep_only(std::span<const int32_t> prefix) { beam_.keep_only(prefix); }

  size_t nodes() const { return beam_.nodes(); }

 private:
  struct Bounds {
    std::vector<float> values;  // of each entry
    float most;
  };
  // Scorers that were computed before, each at a place that its key says.
  struct Remembered {
    uint64_t key;
    Step step;
  };

  void frame(const float* log_probs);
  void update_bounds();
  float prob(int32_t token) const { return probs_[static_cast<size_t>(token)]; }
  float extend(float threshold, float token_bound);
  void rank_rare(float threshold, float token_bound);
  void find_waiting(float least);
  void rank_waiting(float level, float least);
  void rank(int32_t token);
  float extend_ranked(float threshold);
  float extend_by(int token, float threshold);
  void repeat(float threshold, float token_bound);
  float score_pending(float threshold);
  void score_one(int32_t entry, int32_t token, float threshold);
  float prune(float threshold);
  void replace(Selection selection, float top);
  Beam::Entry carried(int entry, int token, float& factor);
  float factor(int entry, int token, Context& after);
  template <class Compute>
  Step remembered(std::vector<Remembered>& memory, uint64_t high, uint64_t low, Compute&& compute);

  std::shared_ptr<const Scorers> scorers_;
  const SearchPlan& plan_;
  const bool weighted_;  // whether there are scorers
  const float beam_factor_;
  Beam beam_;

  // One frame's work.
  std::vector<float> probs_;
  std::vector<int32_t> waiting_;  // classes
  size_t waiting_count_ = 0;
  std::vector<uint64_t> ranked_;
  std::vector<Bounds> bounds_;  // for each kind of tokens: at least the mass of an entry times any factor
  float most_stay_ = 0;
  Candidates candidates_, pending_;  // pending: with bounds for masses, their scorers are not known yet
  std::vector<int32_t> order_;       // of pending ones
  Choice choice_;
  std::vector<Beam::Arrival> arrivals_;
  std::vector<Beam::Entry> carried_;  // by the arrivals
  std::vector<Remembered> token_lm_memory_, hotword_memory_, word_memory_;
};

}  // namespace ctckit
