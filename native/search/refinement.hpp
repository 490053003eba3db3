// Single refinements that the frames speak for: tokens in whose place another one, or none, has more mass.
//
// The beam gives up texts by what they update_bounds at the moment, and loses some that the frames would have proved better. So what
// it found is held against its neighbors: between the frames of the tokens on its two sides, as in the confidence of
// search/rescoring.hpp, each class c has a mass, and so has none. Where one of them exceeds the token's own, putting it there may
// make a likelier text; the exact score of the whole decides (search/decoder.cpp).
#pragma once
#include <vector>

#include "search/rescoring.hpp"

namespace ctckit {

struct Refinement {
  int64_t position;  // of the token in the text
  int32_t token;     // the one to put there; the blank: none
};

// At most one for each token, the likeliest; the last token's first: those before keep their positions.
std::vector<Refinement> find_refinements(const Frames& frames, std::span<const int32_t> tokens,
                                         const Rescored& rescored);

// The text with the refinement made.
std::vector<int32_t> refined(std::span<const int32_t> tokens, Refinement refinement, int32_t blank);

}  // namespace ctckit
