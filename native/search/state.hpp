// The state of a search as bytes: to pickle a search, and to continue it in another process.
//
// The bytes are a header, the texts of the beam and the prefixes of its tree, in the byte order of the machine. Buffers
// and caches are not saved, and the plan is not: it is the same for both searches. Whatever bytes are given, a state that
// is read is safe to use: damage is found by the checksum, and every number is in its range.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

#include "search/search.hpp"

namespace ctckit {

// The bytes are not the state of a search with this plan. The message says why.
class StateError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string state_bytes(const Search& search);
Beam::State state_from_bytes(std::string_view bytes, const Scorers& scorers);

}  // namespace ctckit
