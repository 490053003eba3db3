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
#include <memory>
#include <span>
#include <vector>

#include "search/confidence.hpp"
#include "simd/passes_kernel.hpp"

namespace ctckit {

class Passes {
 public:
  // The text has the closed tokens of a border before these (loss/border.hpp), and `column` is that of the border.
  Passes(const Frames& frames, std::span<const int32_t> closed, std::span<const int32_t> tokens,
         std::span<const double> column);

  // Returns log p(other | x) − log p(tokens | x), where `other` has this instead of the tokens [from, to). NaN where the
  // difference is too large for these numbers: then only a pass over `other` can tell. 0 where it
  // may be a rounding error.
  double gain(size_t from, size_t to, std::span<const int32_t> instead);

 private:
  void find_emissions();
  void run(std::span<const double> column);
  const std::vector<double>& emissions_of(int32_t token);
  double ratio(size_t from, size_t to, std::span<const int32_t> instead, double negligible);
  bool may_skip(size_t label) const { return tokens_[label] != tokens_[label - 1]; }

  // Rows of frames, as in simd/passes_kernel.hpp: label i has the place i + 1. The rows of α begin one frame earlier,
  // with the column.
  double* alpha_label(int64_t row) { return label_alpha_.get() + block + static_cast<size_t>(row) * width_; }
  double* alpha_blank(int64_t row) { return blank_alpha_.get() + block + static_cast<size_t>(row) * width_; }
  double* label_u(int64_t t) { return label_u_.get() + static_cast<size_t>(t) * width_; }

  static constexpr size_t block = passes_block;

  Frames frames_;
  size_t closed_;                    // the number of closed tokens
  std::vector<int32_t> tokens_;      // these are the first
  size_t width_, classes_;           // of the rows of states, and of those of emissions
  std::vector<double> skip_;         // see PassesProblem
  std::vector<int32_t> classes_at_;  // see PassesProblem
  std::vector<double> emissions_;    // relative to top_, times scale_
  std::vector<float> top_;           // of each frame: the largest score of these classes
  std::vector<double> scale_;        // of each frame
  std::unique_ptr<double[]> label_alpha_, blank_alpha_, label_u_;
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
