// New texts that compete for a place in the beam, and the choice among them and the texts that are there.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "simd/beam_kernel.hpp"

namespace ctckit {

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
  // Keeps these alone, ascending.
  void keep(std::span<const int32_t> chosen);
};

// The choice between the texts that stay and the candidates.
class Choice {
 public:
  explicit Choice(int beam_width);

  // The bound that the `width` best of both lie above, and nothing below `threshold`; among equals the texts that stay are better,
  // then the first. `top`: no value is larger.
  Selection select(const std::vector<float>& staying, int staying_count, const Candidates& candidates, int width,
                   float threshold, float top);
  // The indices of the texts that leave, and of the candidates that come; until the next call.
  std::span<const int32_t> leaving(Selection selection, const std::vector<float>& staying, int staying_count);
  std::span<const int32_t> coming(Selection selection, const std::vector<float>& staying, int staying_count,
                                  const Candidates& candidates);

 private:
  std::vector<float> values_;
  std::vector<int32_t> leaving_, coming_;
};

}  // namespace ctckit
