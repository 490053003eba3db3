// Exact scores for the texts that a search ends with, and their order.
//
// 1. Token sequences that are written alike are one text; their probabilities are added. The one with the best score
//    stands for all.
// 2. The texts are sorted by exact scores. The beam loses a part of a text's mass, so the order by mass is not that
//    order. The texts are scored from the largest mass on, until no other can come first: until the best score is 2 nats
//    (6 with hotwords) above the mass of the next text and the most that any mass has lost. Of long texts, those nearly
//    as good as the best one are scored again without windows (known_text.hpp). How many are scored, and so the first
//    text, does not depend on n.
// 3. The first text is refined (refinement.hpp). If the result is better, it takes the first place.
#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "scorers/scorers.hpp"
#include "search/known_text.hpp"
#include "search/rescoring.hpp"
#include "search/search.hpp"

namespace ctckit {

struct Decoded {
  std::vector<int32_t> tokens;
  Rescored rescored;  // log_prob: of the text, summed over all its token sequences in the beam
  Parts parts;
  double score;  // exact: log-probability and weighted parts
};

// What is known besides the frames: the tokens before those of the search, which of its tokens may be refined, and the
// border before the frames.
struct Past {
  std::span<const int32_t> tokens = {};
  size_t first = 0, last = std::numeric_limits<size_t>::max();  // [first, last)
  Border border = {};
};

// Returns the n best texts of a search in these frames. `parts` are those of the past and the text together. Texts
// without an alignment in the frames after the border are left out, if there are others.
std::vector<Decoded> ranked(const Search& search, const Scorers& scorers, const Frames& frames, const Past& past,
                            size_t n);

// Returns one text after refinement.
Decoded refined(std::vector<int32_t> tokens, const Scorers& scorers, const Frames& frames, const Past& past);

}  // namespace ctckit
