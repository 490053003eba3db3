// Refinement: changes of one token that improve a text.
//
// The beam drops texts by their present mass and so loses some that later frames would have favored. Refinement looks
// for them near the best text. Between the frames of a token's two neighbors each class has a mass, and so has "no
// token" (see confidence.hpp). If one of them exceeds the mass of the present token, changing it may improve the text.
// The exact score of the whole text decides (decoder.cpp).
#pragma once
#include <vector>

#include "search/rescoring.hpp"

namespace ctckit {

struct Refinement {
  int64_t position;  // of the token to change
  int32_t token;     // the new token; the blank: delete it
};

// Returns at most one refinement for each token, the best. The last token comes first, so that positions stay valid.
std::vector<Refinement> find_refinements(const Frames& frames, std::span<const int32_t> tokens,
                                         const Rescored& rescored);

}  // namespace ctckit
