// New texts that compete for a place in the beam, and the choice among them and the texts that are there.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ctckit {

// Of values ≥ 0, by their bits: those at or above `least`, and of those just below it the first `ties`.
struct Selection {
  int32_t least;
  int ties;

  bool keeps(float value) {  // to be asked in order: it counts the ties
    const auto bits = std::bit_cast<int32_t>(value);
    const bool tied = ties > 0 && bits == least - 1;
    ties -= tied;
    return bits >= least || tied;
  }
  float bar() const;        // the largest value that is not at or above `least`
};

// Each is an entry of the beam and one more token.
struct Candidates {
  int count = 0;
  std::vector<float> values;  // masses, or bounds of them
  std::vector<int32_t> entries, tokens;

  explicit Candidates(int beam_width);  // room for what one frame can have at a time

  void add(float value, int32_t entry, int32_t token) {
    const auto k = static_cast<size_t>(count++);
    values[k] = value;
    entries[k] = entry;
    tokens[k] = token;
  }
  float top() const;
  // Drops what the selection does not keep. `staying` values come first among equals.
  void keep(Selection selection, const std::vector<float>& staying, int staying_count);
};

// The `width` best of the staying values and the candidates that are at least `bar`, among equals the first. `top`: no value
// is larger. Both arrays get zeros, or have them, up to whole blocks.
Selection select(const std::vector<float>& staying, int staying_count, Candidates& candidates, int width, float bar,
                 float top);

}  // namespace ctckit
