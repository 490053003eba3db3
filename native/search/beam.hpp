// The texts that a search keeps: their masses, what else they carry along, and how they hang together.
#pragma once
#include <span>
#include <vector>

#include "scorers/scorers.hpp"
#include "search/prefix_tree.hpp"
#include "simd/beam_kernel.hpp"

namespace ctckit {

class Beam {
 public:
  // What an entry carries along where there are scorers.
  struct Entry {
    Context context;
    Step ended = {-1, 0};                     // the end of the word it is in; a negative factor while that is not known
    float inner_bound = 1, ending_bound = 1;  // see Scorers
  };
  // An entry to come.
  struct Arrival {
    int32_t node, parent, token;  // nodes of the tree
    float mass, factor;
  };

  Beam(int width, int classes, int blank);

  // The empty text alone.
  void reset(const Context& start);

  int count() const { return count_; }
  float top() const { return top_; }  // the largest total
  // log of what the masses have to be multiplied by
  double log_scale() const { return log_scale_; }
  float total(int entry) const { return masses_[static_cast<size_t>(entry)]; }
  float blank_part(int entry) const { return masses_[static_cast<size_t>(capacity_ + entry)]; }
  const float* totals() const { return masses_.data(); }
  const int32_t* tokens() const { return token_.data(); }
  int32_t token(int entry) const { return token_[static_cast<size_t>(entry)]; }
  Entry& operator[](int entry) { return entries_[static_cast<size_t>(entry)]; }
  const Entry& operator[](int entry) const { return entries_[static_cast<size_t>(entry)]; }

  // One frame without new texts, kept beside the old masses until replace(); `log_scale` is what the probabilities lack.
  Extremes stay(const float* probs, double log_scale);
  const std::vector<float>& staying() const { return next_masses_; }  // the totals, zeros up to whole blocks

  // Of which entries the extension by another token is in the beam already: one bit for each.
  const uint64_t* existing(int token) const;
  // What this frame's last token once more, behind a blank, weighs; zeros up to whole blocks.
  const float* repeated() const { return repeated_.data(); }
  // Of which entries that extension is in the beam already, or cannot be: one bit for each.
  const uint64_t* unrepeatable() const { return unrepeatable_.data(); }

  // The arrival of an entry's text with one more token.
  void extend(int entry, int token, float mass, Arrival& arrival);
  // The frame's result: those `freed` (ascending) leave, the arrivals take their places, with what they carry along where
  // there are scorers. `top` is the largest mass now.
  void replace(std::span<const int32_t> freed, const std::vector<Arrival>& arrivals, const std::vector<Entry>& carried,
               float top);

  // Tokens since the last forget(), of one entry and of all entries together.
  std::vector<int32_t> tokens(int entry) const;
  std::vector<int32_t> stable();
  void forget(size_t count);
  void keep_only(std::span<const int32_t> prefix);

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
  size_t tidy_from_ = 0;  // nodes at which those that nobody needs are cleared away
  double log_scale_ = 0;
  float top_ = 0;

  // For each token that ends a child of an entry, the bits of existing().
  bool indexed_ = false;
  std::vector<int32_t> list_of_token_, listed_;
  std::vector<uint64_t> bits_, no_bits_, unrepeatable_;
  const size_t words_;  // of 64 bits, for each list
};

}  // namespace ctckit
