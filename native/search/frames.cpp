#include "search/frames.hpp"

#include <algorithm>

namespace ctckit {

size_t Block::place_of(int32_t token) const {
  const auto found = std::ranges::lower_bound(classes, token);
  return found != classes.end() && *found == token ? static_cast<size_t>(found - classes.begin()) : classes.size();
}

Frames::Frames(const Rows<float>& rows, std::span<const Block> early)
    : count(rows.count), classes(rows.classes), blank(rows.blank), late_(rows), early_(early) {
  if (!early.empty()) blocks_end_ = early.back().first + early.back().count;
  count += blocks_end_;
}

Frames Frames::part(int64_t start, int64_t end) const {
  Frames result = *this;
  result.count = end - start;
  if (is_plain()) {
    result.late_.log_probs += start * late_.stride;
  } else {
    result.from_ += start;
  }
  return result;
}

const Block& Frames::block_of(int64_t t) const { return *(std::ranges::upper_bound(early_, t, {}, &Block::first) - 1); }

float Frames::in_block(int64_t t, int32_t token) const {
  const Block& block = block_of(t);
  return block.row(t)[block.place_of(token)];
}

const float* Frames::frame(int64_t t, std::vector<float>& buffer) const {
  t += from_;
  if (t >= blocks_end_) return late_.frame(t - blocks_end_);
  const Block& block = block_of(t);
  const float* const row = block.row(t);
  buffer.assign(static_cast<size_t>(classes), row[block.classes.size()]);
  for (size_t k = 0; k < block.classes.size(); ++k) buffer[static_cast<size_t>(block.classes[k])] = row[k];
  return buffer.data();
}

void Frames::gather(std::span<const int32_t> wanted, float* result) const {
  std::vector<size_t> places(wanted.size());
  const int64_t end = from_ + count;
  int64_t t = from_;
  while (t < std::min(end, blocks_end_)) {
    const Block& block = block_of(t);
    std::ranges::transform(wanted, places.begin(), [&](int32_t token) { return block.place_of(token); });
    for (const int64_t past = std::min(end, block.first + block.count); t < past; ++t)
      for (const size_t place : places) *result++ = block.row(t)[place];
  }
  for (; t < end; ++t)
    for (const int32_t token : wanted) *result++ = late_.frame(t - blocks_end_)[token];
}

TextFrames::TextFrames(const Frames& frames, std::span<const int32_t> before, std::span<const int32_t> tokens)
    : tokens_(before.begin(), before.end()), before_(before.size()) {
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  if (frames.is_plain()) {
    rows_ = frames.rows();
    return;
  }
  classes_ = tokens_;
  classes_.push_back(frames.blank);
  std::ranges::sort(classes_);
  classes_.erase(std::unique(classes_.begin(), classes_.end()), classes_.end());
  const auto number_of = [&](int32_t token) {
    return static_cast<int32_t>(std::ranges::lower_bound(classes_, token) - classes_.begin());
  };
  std::ranges::transform(tokens_, tokens_.begin(), number_of);
  columns_.resize(static_cast<size_t>(frames.count) * classes_.size());
  frames.gather(classes_, columns_.data());
  rows_ = {columns_.data(), static_cast<int64_t>(classes_.size()), frames.count, static_cast<int>(classes_.size()),
           number_of(frames.blank)};
}

namespace {

// The border in the numbers of these frames.
Border renamed(const Border& border, const TextFrames& own) {
  Border result = border;
  std::ranges::copy(own.before(), result.tokens.begin());
  std::ranges::copy(own.tokens().first(border.fixed), result.tokens.end() - static_cast<std::ptrdiff_t>(border.fixed));
  return result;
}

}  // namespace

double log_prob_after(const Border& border, const Frames& frames, std::span<const int32_t> text) {
  if (frames.is_plain()) return log_prob_after(border, frames.rows(), text);
  const TextFrames own(frames, border.closed(), text);
  return log_prob_after(renamed(border, own), own.rows(), own.tokens());
}

Border cut(const Border& border, const Frames& frames, std::span<const int32_t> text, int64_t frame, size_t closed,
           size_t agreed) {
  if (frames.is_plain()) return cut(border, frames.rows(), text, frame, closed, agreed);
  const TextFrames own(frames, border.closed(), text);
  Border result = cut(renamed(border, own), own.rows(), own.tokens(), frame, closed, agreed);
  for (int32_t& token : result.tokens) token = own.class_of(token);
  return result;
}

}  // namespace ctckit
