// The texts that a search keeps: their masses, the context of the scorers, and which text extends which.
#pragma once
#include <span>
#include <vector>

#include "scorers/scorers.hpp"
#include "search/prefix_tree.hpp"
#include "simd/beam_kernel.hpp"

namespace ctckit {

class Beam {
 public:
  // The largest mass is at least `lowest` and below `highest`.
  static constexpr float lowest = 0x1p16f, highest = 0x1p40f;

  // The part of an entry that only scorers need.
  struct Entry {
    Context context;
    Step ended = {-1, {}};                    // the end of its current word; a negative factor: not computed yet
    float inner_bound = 1, ending_bound = 1;  // see Scorers
  };
  // A new entry.
  struct Arrival {
    int32_t node, parent, token;  // `node` and `parent` are nodes of the tree
    float mass, factor;
  };

  // All that decides about later frames.
  struct Text {
    Arrival placed;  // with its total mass
    float blank_part, label;
    Entry scored;
  };
  struct Link {
    int32_t parent, token;
  };
  struct State {
    double log_scale;
    int32_t forgotten;           // the number of tokens
    std::vector<Text> texts;     // the entries
    std::vector<Link> prefixes;  // the nodes of the tree from the second on: the root has no parent
  };

  Beam(int width, int classes, int blank);

  // Keeps only the empty text.
  void reset(const Context& start);
  State state() const;
  // Continues from the state of a beam of this width, with these classes. The caller has checked it.
  void restore(const State& state);

  int count() const { return count_; }
  float top() const { return top_; }  // the largest total mass
  // The logarithm of the masses' common factor.
  double log_scale() const { return log_scale_; }
  float total(int entry) const { return masses_[static_cast<size_t>(entry)]; }
  float blank_part(int entry) const { return masses_[static_cast<size_t>(capacity_ + entry)]; }
  const float* totals() const { return masses_.data(); }
  const int32_t* tokens() const { return token_.data(); }
  int32_t token(int entry) const { return token_[static_cast<size_t>(entry)]; }
  Entry& operator[](int entry) { return entries_[static_cast<size_t>(entry)]; }
  const Entry& operator[](int entry) const { return entries_[static_cast<size_t>(entry)]; }

  // Computes one frame without new texts. The old masses stay until replace(). `log_scale`: log factor of the
  // probabilities.
  Extremes stay(const float* probs, double log_scale);
  const std::vector<float>& staying() const {
    return next_masses_;
  }  // the total masses after stay(), zeros up to whole blocks

  // One bit for each entry: whether its extension by this token is in the beam already.
  const uint64_t* existing(int token) const;
  // For each entry: the mass of its last token repeated after a blank in this frame; zeros up to whole blocks.
  const float* repeated() const { return repeated_.data(); }
  // One bit for each entry: whether that extension is in the beam already, or impossible.
  const uint64_t* unrepeatable() const { return unrepeatable_.data(); }

  // Sets `arrival` to an entry's text with one more token.
  void extend(int entry, int token, float mass, Arrival& arrival);
  // Ends the frame: the entries `freed` (ascending) leave, the arrivals take their places. `carried`: the scorers' part
  // of each arrival, empty without scorers. `top`: the largest mass.
  void replace(std::span<const int32_t> freed, const std::vector<Arrival>& arrivals, const std::vector<Entry>& carried,
               float top);

  // The tokens since the last forget(): of one entry, and those that all entries share.
  void append_tokens(int entry, std::vector<int32_t>& tokens) const;
  std::vector<int32_t> stable();
  // The different tokens among the last `count` ones of all entries, ascending.
  std::vector<int32_t> recent(size_t count) const;
  void forget(size_t count);
  void keep_only(std::span<const int32_t> prefix, size_t closed, int64_t frames);

  size_t nodes() const { return tree_.size(); }

 private:
  void index();
  void mark_child(int32_t entry, int32_t token);
  int32_t node_of(int entry);
  void leave_tree(int slot);
  void place(int slot, const Arrival& arrival);
  void remove(std::span<const int32_t> slots, size_t from);
  void move(int from, int to);
  void clear(int first, int last);
  void rescale();
  void tidy(int32_t top);

  const int capacity_;  // whole blocks
  const int blank_;
  int count_ = 0;
  std::vector<float> masses_, label_, factor_, next_masses_, next_label_;  // see StayInput
  std::vector<float> repeated_;
  std::vector<int32_t> token_, source_;
  std::vector<int32_t> node_, parent_;  // in the tree; an entry has no node until it has a child
  std::vector<Entry> entries_;
  PrefixTree tree_;
  size_t tidy_from_ = 0;  // number of nodes that triggers tidy()
  double log_scale_ = 0;
  float top_ = 0;

  // The bits of existing(), for each token that ends a child of some entry.
  bool indexed_ = false;
  std::vector<int32_t> list_of_token_, listed_;
  std::vector<uint64_t> bits_, no_bits_, unrepeatable_;
  const size_t words_;  // 64-bit words in each list
};

}  // namespace ctckit
