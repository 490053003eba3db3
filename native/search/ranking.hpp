// Exact scores for the texts that a search ends with, and their order.
//
// 1. Token sequences that are written alike are one text; their probabilities are added. The one with the best score
//    stands for all.
// 2. The first place is decided among the contenders: the texts whose mass in the beam is at most 1.5 nats below the
//    largest. The beam loses a part of a text's mass, mostly some hundredths of a nat. If it lost much more of one
//    contender than of another (their scores and masses differ by amounts that are 0.25 nats apart), all texts of the
//    beam contend. The contenders do not depend on n, and neither does the first text.
// 3. The first text is refined (refinement.hpp). If the result is better, it takes the first place.
// 4. The other n − 1 texts follow by their scores.
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

// What is known besides the frames: the tokens before those of the search, and which of its tokens may be refined.
struct Past {
  std::span<const int32_t> tokens = {};
  size_t first = 0, last = std::numeric_limits<size_t>::max();  // [first, last)
};

// Returns the n best texts of a search in these frames. `parts` are those of the past and the text together.
std::vector<Decoded> ranked(const Search& search, const Scorers& scorers, const Frames& frames, const Past& past,
                            size_t n);

// Returns one text after refinement.
Decoded refined(std::vector<int32_t> tokens, const Scorers& scorers, const Frames& frames, const Past& past);

}  // namespace ctckit
