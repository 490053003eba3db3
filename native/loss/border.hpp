// A long item that is cut in two between two frames, and what the frames before the cut say about its text.
//
// Let α(s) be the mass of all partial paths that are in state s of the text after the last frame before the cut. From α
// and the frames after the cut follows the exact probability of the text. A text that continues it loses the paths that
// were in its later tokens before the cut:
//
//     p(text | x) = Σ over the paths through the later frames of  α(state before the first one) · their emissions
//
// Only the states matter that a path is likely to be in: those with a share α(s) · β(s) / p of more than e^-60. They lie
// around few tokens; so a cut needs memory for these tokens only, and cuts may follow each other without end.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/rows.hpp"

namespace ctckit {

struct Border {
  std::vector<int32_t> tokens;      // those whose states a path may be in
  std::vector<double> column{0.0};  // (2 · |tokens| + 1) log α of their states; the exponentials sum to 1
  size_t fixed = 0;                 // the last tokens, which are not closed: texts after the border begin with them
  double log_mass = 0;              // log of what `column` was divided by; since the border before

  // The closed tokens.
  std::span<const int32_t> closed() const { return std::span(tokens).first(tokens.size() - fixed); }
};

// Returns log p(text | x) − the log mass of all borders up to this one. `text`: the tokens that are not closed; it begins
// with the fixed ones.
template <class Logit>
double log_prob_after(const Border& border, const Rows<Logit>& rows, std::span<const int32_t> text);

// Cuts the rows before `frame`, and closes the first `closed` tokens of the text. The column of the new border has the
// tokens around the cut, but of those after the first `agreed` ones only as many as have a share of 1 % or more: they
// may be wrong. `agreed` is at least `closed`.
template <class Logit>
Border cut(const Border& border, const Rows<Logit>& rows, std::span<const int32_t> text, int64_t frame, size_t closed,
           size_t agreed);

}  // namespace ctckit
