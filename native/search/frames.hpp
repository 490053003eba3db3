// The log-probabilities of one item as ranking needs them: as they came, or the early ones in less memory.
//
// A long stream keeps many frames. With thousands of classes, nearly all of them matter in none of a few frames. So
// early frames may come in blocks: a block has the log-probabilities of some classes, and one for each of the others,
// the logarithm of their mean probability. Which classes these are, ctckit/decoding/kept_frames.py decides.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/rows.hpp"
#include "loss/border.hpp"

namespace ctckit {

// Some frames of an item.
struct Block {
  int64_t first, count;              // frames
  std::span<const int32_t> classes;  // ascending
  const float* values;               // (count, |classes| + 1); the last one is that of each other class

  // The place of a class in a row of `values`.
  size_t place_of(int32_t token) const;
  const float* row(int64_t t) const { return values + static_cast<size_t>(t - first) * (classes.size() + 1); }
};

class Frames {
 public:
  int64_t count;
  int classes;
  int32_t blank;

  Frames(const Rows<float>& rows) : Frames(rows, {}) {}  // implicit: all frames as they came
  // The frames of the blocks, which follow each other from frame 0 on, and then the rows. The blocks must outlive this.
  Frames(const Rows<float>& rows, std::span<const Block> early);

  // Whether all frames are as they came.
  bool is_plain() const { return early_.empty(); }
  // These, if all are.
  Rows<float> rows() const { return {late_.log_probs, late_.stride, count, classes, blank}; }

  // The frames [start, end).
  Frames part(int64_t start, int64_t end) const;

  float at(int64_t t, int32_t token) const {
    t += from_;
    return t >= blocks_end_ ? late_.frame(t - blocks_end_)[token] : in_block(t, token);
  }
  // All classes of a frame; `buffer` is used where they are not in memory.
  const float* frame(int64_t t, std::vector<float>& buffer) const;
  // Writes the log-probabilities of some classes in all frames: (count, |wanted|).
  void gather(std::span<const int32_t> wanted, float* result) const;

 private:
  const Block& block_of(int64_t t) const;
  float in_block(int64_t t, int32_t token) const;

  Rows<float> late_;
  std::span<const Block> early_;
  int64_t from_ = 0;  // the first frame, counted from that of the first block
  int64_t blocks_end_ = 0;
};

// One text in some frames, as the kernels take it: the columns of its classes, which have new numbers. Of plain frames,
// these are the frames themselves, and the numbers stay.
class TextFrames {
 public:
  TextFrames(const Frames& frames, std::span<const int32_t> tokens) : TextFrames(frames, {}, tokens) {}
  // `before`: tokens that the text continues.
  TextFrames(const Frames& frames, std::span<const int32_t> before, std::span<const int32_t> tokens);

  const Rows<float>& rows() const { return rows_; }
  std::span<const int32_t> before() const { return std::span(tokens_).first(before_); }
  std::span<const int32_t> tokens() const { return std::span(tokens_).subspan(before_); }
  // The class that has this number here.
  int32_t class_of(int32_t number) const { return classes_.empty() ? number : classes_[static_cast<size_t>(number)]; }

 private:
  std::vector<int32_t> classes_;
  std::vector<int32_t> tokens_;
  size_t before_;
  std::vector<float> columns_;
  Rows<float> rows_;
};

// See loss/border.hpp.
double log_prob_after(const Border& border, const Frames& frames, std::span<const int32_t> text);
Border cut(const Border& border, const Frames& frames, std::span<const int32_t> text, int64_t frame, size_t closed,
           size_t agreed);

}  // namespace ctckit
