// Prefix beam search over one item, frame by frame (Graves 2006, §7.5.2; Hannun et al. 2014), with scorers.
// kernels/search/reference.py defines the result.
//
// The mass of a prefix u is the sum over all alignments of the frames so far that spell u. It has two parts: alignments
// that end in a blank, and alignments that end in u's last token. In each frame
//
//     blank(u) ← (blank(u) + label(u)) · p(blank)
//     label(u) ← label(u) · p(last(u)) + arriving · factor(u) · p(last(u))
//
// where `arriving` is the mass of u's parent, or only its blank part if both end in the same token. factor(u) is
// e^(score of the scorers for u's last token) (scorers/scorers.hpp). The search keeps the `beam_width` prefixes with
// the most mass.
//
// Masses are float32 with one shared scale. A prefix 2^116 times (80 nats) smaller than the best is dropped. Ranking
// computes the exact log-probability of the texts afterwards (ranking.hpp). Mass comes only from the prefix itself and
// its parent, so the search never looks prefixes up by their tokens: each entry knows its parent's place in the beam,
// and an extension exists if and only if a child of the entry is in the beam.
#pragma once
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "scorers/scorers.hpp"
#include "search/beam.hpp"
#include "search/candidates.hpp"
#include "search/step_memory.hpp"

namespace ctckit {

struct Found {
  std::vector<int32_t> tokens;  // since the last forget()
  double score;                 // log mass, with the scorers at the end of the text; nats
};

// A text of the beam.
struct Ending {
  double score;  // see Found
  int entry;
};

class Search {
 public:
  explicit Search(const std::shared_ptr<const Scorers>& scorers);

  // Continues from a state, which the caller has checked (state.hpp): with the same bits.
  Search(const std::shared_ptr<const Scorers>& scorers, const Beam::State& state) : Search(scorers) {
    beam_.restore(state);
  }

  const SearchPlan& plan() const { return plan_; }
  // Those that this search asks: where language models are asked in sessions, with its own.
  const std::shared_ptr<const Scorers>& scorers() const { return scorers_; }
  Beam::State state() const { return beam_.state(); }

  // Restarts with the empty text at frame 0.
  void reset() { beam_.reset(scorers_->start()); }

  // Adds frames, (frames, classes) with classes contiguous; values are finite or −∞. If a language model throws, none of
  // the frames is used.
  void push(const float* log_probs, int64_t frame_stride, int64_t frames);

  // Returns the possible texts, best first: as if the text ended here (`ended`), or by mass alone.
  std::vector<Ending> endings(bool ended) const;
  // The same as tokens, for the best n.
  std::vector<Found> best(size_t n, bool ended) const;
  // Appends the tokens of a text since the last forget().
  void append_tokens(const Ending& text, std::vector<int32_t>& tokens) const {
    beam_.append_tokens(text.entry, tokens);
  }

  // Returns the common first tokens of all texts in the beam, since the last forget().
  std::vector<int32_t> stable() { return beam_.stable(); }
  // Returns the different tokens among the last `count` ones of each text in the beam, ascending.
  std::vector<int32_t> recent(size_t count) const { return beam_.recent(count); }
  // Removes the first `count` tokens of stable() from all later results.
  void forget(size_t count) { beam_.forget(count); }
  // Drops all texts that do not begin with these tokens, counted from the last forget(). Then drops those whose tokens
  // after the first `closed` need more than `frames` frames, unless these are all.
  void keep_only(std::span<const int32_t> prefix, size_t closed, int64_t frames) {
    beam_.keep_only(prefix, closed, frames);
  }

  size_t nodes() const { return beam_.nodes(); }

  // Lets the sessions with language models forget all but the states of the texts in the beam.
  void tidy_sessions();

 private:
  struct Bounds {
    std::vector<float> values;  // of each entry
    float most;
  };

  void push_in_sessions(const float* log_probs, int64_t frame_stride, int64_t frames);
  void clear_caches();
  void ask_ahead(std::span<const int32_t> candidates, float most) const;
  void frame(const float* log_probs);
  float exponentials_below(const float* log_probs, float reference);
  bool step(double scale, float token_bound);
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
  float prune(float threshold);
  void replace(Selection selection, float top);
  Beam::Entry carried(int entry, int token, float& factor);
  float factor(int entry, int token, Context& after);

  std::shared_ptr<const Scorers> scorers_;
  const SearchPlan& plan_;
  const bool weighted_;     // whether there are scorers
  const bool in_sessions_;  // whether they ask a language model in sessions
  const float beam_factor_;
  Beam beam_;

  // Buffers for one frame.
  std::vector<float> probs_;
  std::vector<int32_t> waiting_;  // classes
  size_t waiting_count_ = 0;
  std::vector<uint64_t> ranked_;
  std::vector<Bounds> bounds_;  // for each kind of tokens: upper bounds of mass · factor
  float most_stay_ = 0;
  Candidates candidates_, pending_;  // pending: upper bounds, scorers not applied yet
  std::vector<int32_t> order_;       // of the pending candidates
  Choice choice_;
  std::vector<Beam::Arrival> arrivals_;
  std::vector<Beam::Entry> carried_;  // one for each arrival
  ModelStepMemory token_lm_memory_, word_memory_;
  StepMemory<uint32_t> hotword_memory_;
};

}  // namespace ctckit
