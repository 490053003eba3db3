// Prefix beam search over one item, frame by frame (Graves 2006, §7.5.2; Hannun et al. 2014, with edge factors).
//
// A prefix u of the text has the mass of all alignments that spell it so far, in two parts: those that end in a blank, and
// those that end in u's last token. In each frame
//
//     blank(u) ← (blank(u) + label(u)) · p(blank)
//     label(u) ← label(u) · p(last(u)) + arriving · factor(u) · p(last(u))
//
// where `arriving` is the whole mass of u's parent, or its blank part alone if both end in the same token, and factor(u)
// is what language models and hotwords make of u's last token (factors.hpp). Of all prefixes the `beam_width` with the most
// mass are kept.
//
// Masses are float32 under one shared scale. That is enough: two prefixes that differ by more than 2^100 never change places
// again, and the log-probability of what is found is computed afresh (description.hpp). A prefix' masses only come from
// itself and its parent, so that nothing needs to be looked up by its tokens: each entry knows where in the beam its parent
// is, and an extension exists already just where a child of the entry is in the beam.
#pragma once
#include <memory>
#include <vector>

#include "beam.hpp"
#include "factors.hpp"
#include "prefix_tree.hpp"

namespace ctckit {

struct Found {
  std::vector<int32_t> tokens;  // since the last forget()
  double score;                 // log mass, with the factor of the text's end; nats
};

class Search {
 public:
  explicit Search(std::shared_ptr<const Factors> factors);

  // Back to the empty text, frame 0.
  void reset();

  // More frames, (frames, classes) with classes side by side; finite or −∞.
  void push(const float* log_probs, int64_t frame_stride, int64_t frames);

  // The best n texts, as if the frames ended here, best first.
  std::vector<Found> best(size_t n) const;

  // The tokens that all entries of the beam begin with, since the last forget().
  std::vector<int32_t> stable();
  // The first `count` tokens of stable() are not asked for again.
  void forget(size_t count);
  // Gives up all entries that do not begin with these tokens, counted from the last forget().
  void keep_only(std::span<const int32_t> prefix);

  size_t nodes() const { return tree_.size(); }

 private:
  // What a prefix carries along beside its masses.
  struct Entry {
    int32_t node, parent;  // in the tree; no node until it has a child
    Context context;
    Step ended;  // the end of the word it is in; a negative factor while that is not known
  };
  // Values whose bits are at or above `least` are kept, and of those one below it the first `ties`.
  struct Selection {
    int32_t least;
    int ties;
    bool keeps(float value);
  };
  struct Arrival {
    Entry entry;
    int32_t token;
    float mass, factor;
  };

  void frame(const float* log_probs);
  void find_sources();
  BeamArrays arrays();
  float weigh();
  float extend(float bar, float token_bound, const Extremes& stays);
  void extend_by(int token, float bar);
  void mark(int token);
  void unmark(int token);
  int32_t parent_entry(int entry) const;
  size_t apply_factors(size_t from, size_t to, int token, float bar);
  float factor(int entry, int token, Context& after);
  float top_candidate() const;
  float tighten(float bar, float top);
  Selection select(float bar, float top);
  void replace(Selection selection);
  Arrival arrival(int candidate);
  void place(int slot, const Arrival& arrival);
  void move_entry(int from, int to);
  void clear_from(int first);
  int32_t node_of(int entry);
  void rescale(float top);
  std::vector<int32_t*> used_nodes();
  void append_tokens(int entry, std::vector<int32_t>& tokens) const;
  struct Remembered {
    uint64_t key;
    Step step;
  };
  using Compute = Step (Factors::*)(uint32_t, int, bool) const;
  Step remembered(std::vector<Remembered>& memory, Compute compute, uint32_t state, int token, bool inside);

  std::shared_ptr<const Factors> factors_;
  const SearchPlan& plan_;
  const bool weighted_;  // whether there are factors
  const float beam_factor_;
  const int capacity_;  // whole blocks

  // The beam: one place in each array for each entry.
  int count_ = 0;
  std::vector<float> masses_, label_, factor_;  // see BeamArrays
  std::vector<float> next_total_, next_blank_, next_label_;
  std::vector<int32_t> token_, source_;
  std::vector<Entry> entries_;
  std::vector<float> inner_bound_, end_bound_;  // of each entry: see Factors
  PrefixTree tree_;
  size_t tidy_from_ = 0;   // nodes at which those that nobody needs are cleared away
  bool changed_ = true;    // entries came or went since find_sources()
  double log_scale_ = 0;   // log of what the masses have to be multiplied by
  float top_ = 0;          // the largest total

  // One frame's work.
  std::vector<float> probs_;
  std::vector<int32_t> likely_;
  std::vector<int32_t> with_token_, next_with_token_, listed_tokens_;  // entries by their last token, as linked lists
  std::vector<uint64_t> existing_;                     // one bit for each entry
  std::vector<int32_t> repeats_;
  std::vector<float> inner_weights_, ending_weights_;  // at least the mass of an entry times any factor
  int candidates_ = 0;
  std::vector<float> values_;                          // of the candidates: masses
  std::vector<int32_t> from_entry_, with_;             // and what they are made of
  std::vector<int32_t> freed_;
  std::vector<Arrival> arrivals_;
  std::vector<Remembered> fine_memory_, hot_memory_;
};

}  // namespace ctckit
