// Single edits that the frames speak for: tokens in whose place another one, or none, has more mass.
//
// The beam gives up texts by what they weigh at the moment, and loses some that the frames would have proved better. So what
// it found is held against its neighbours: between the frames of the tokens on its two sides, as in the confidence of
// search/rescoring.hpp, each class c has a mass, and so has none. Where one of them exceeds the token's own, putting it there may
// make a likelier text; the exact score of the whole decides (search/decoder.cpp).
#pragma once
#include <vector>

#include "search/rescoring.hpp"

namespace ctckit {

struct Edit {
  int64_t position;  // of the token in the text
  int32_t token;     // the one to put there; the blank: none
};

// At most one for each token, the likeliest; the last token's first: those before keep their positions.
std::vector<Edit> better_edits(const Frames& frames, std::span<const int32_t> tokens, const Description& description);

// The text with the edit made.
std::vector<int32_t> edited(std::span<const int32_t> tokens, Edit edit, int32_t blank);

}  // namespace ctckit
