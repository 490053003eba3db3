// α and β of a text in some frames, and from them the probability of any text that differs in one place.
//
// Let a text be a b c, and another one a d c. Up to the end of a, and from the beginning of c, both have the same states.
// So only the states of d are new, and the sum over all alignments costs frames · |d|:
//
//     p(a d c | x) = Σ_t  (mass of a d that ends at frame t) · u_{t+1}(first token of c)
//
// where the mass of a is α, computed once, and so is u_t = β_t · emission. Both are scaled in each frame by the same
// number (Rabiner 1989, §V.A), so that Σ_s α_t(s) β_t(s) is the same for all t: the scales cancel in the ratio
// p(a d c | x) / p(a b c | x).
#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "search/confidence.hpp"

namespace ctckit {

class Passes {
 public:
  // The text has the closed tokens of a border before these (loss/border.hpp), and `column` is that of the border.
  Passes(const Frames& frames, std::span<const int32_t> closed, std::span<const int32_t> tokens,
         std::span<const double> column);

  // Returns log p(other | x) − log p(tokens | x), where `other` has this instead of the tokens [from, to). NaN where the
  // difference is too large for these numbers: then only a pass over `other` can tell.
  double gain(size_t from, size_t to, std::span<const int32_t> instead);

 private:
  void find_emissions();
  void forward(std::span<const double> column);
  void backward();
  const std::vector<double>& emissions_of(int32_t token);
  double ratio(size_t from, size_t to, std::span<const int32_t> instead, double negligible);
  bool may_skip(size_t label) const { return tokens_[label] != tokens_[label - 1]; }

  // Rows of frames; those of α begin one frame earlier, with the column. Label i has the place i + 1, and place 0 is
  // empty; so has `label_u_` the empty place N + 1.
  size_t width() const { return tokens_.size() + 2; }
  double* alpha_label(int64_t row) { return label_alpha_.data() + static_cast<size_t>(row) * width(); }
  double* alpha_blank(int64_t row) { return blank_alpha_.data() + static_cast<size_t>(row) * width(); }
  double* label_u(int64_t t) { return label_u_.data() + static_cast<size_t>(t) * width(); }

  Frames frames_;
  size_t closed_;                    // the number of closed tokens
  std::vector<int32_t> tokens_;      // these are the first
  std::vector<double> skip_;         // 1 where a label may follow the label before it
  std::vector<double> emissions_;    // (frames, distinct classes), relative to top_; scaled by scale_ in forward()
  std::vector<size_t> distinct_;     // of each token: its place in emissions_; the blank has place 0
  size_t classes_ = 1;               // distinct ones
  std::vector<double> top_, scale_;  // of each frame
  std::vector<double> label_alpha_, blank_alpha_, label_u_;
  struct Column {
    int32_t token;
    std::vector<double> emissions;
  };
  std::deque<Column> columns_;           // of classes that changes brought
  std::vector<const double*> arriving_;  // a buffer: the emissions of the new tokens
  std::vector<double> middle_;           // a buffer: the masses of the new tokens
  double end_ = 0;                       // the scaled mass of all paths
};

}  // namespace ctckit
