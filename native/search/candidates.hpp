// New texts that compete for a place in the beam, and the choice between them and the texts in the beam.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "simd/beam_kernel.hpp"

namespace ctckit {

// A candidate is an entry of the beam plus one token.
struct Candidates {
  int count = 0;
  std::vector<float> values;  // masses, or upper bounds of masses
  std::vector<int32_t> entries, tokens;

  explicit Candidates(int beam_width);  // enough memory for one frame

  void add(float value, int32_t entry, int32_t token) {
    const auto k = static_cast<size_t>(count++);
    values[k] = value;
    entries[k] = entry;
    tokens[k] = token;
  }
  float top() const;
  // Keeps only these candidates, ascending.
  void keep(std::span<const int32_t> chosen);
};

// The choice between the texts that stay and the candidates.
class Choice {
 public:
  explicit Choice(int beam_width);

  // Selects the `width` best of both, without values below `threshold`. Ties: texts that stay win, then the first.
  // `top`: no value is larger.
  Selection select(const std::vector<float>& staying, int staying_count, const Candidates& candidates, int width,
                   float threshold, float top);
  // The indices of the texts that leave, and of the candidates that come. Valid until the next call.
  std::span<const int32_t> leaving(Selection selection, const std::vector<float>& staying, int staying_count);
  std::span<const int32_t> coming(Selection selection, const std::vector<float>& staying, int staying_count,
                                  const Candidates& candidates);

 private:
  std::vector<float> values_;
  std::vector<int32_t> leaving_, coming_;
};

}  // namespace ctckit
