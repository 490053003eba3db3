#include "candidates.hpp"

#include <algorithm>

#include "beam_kernel.hpp"
#include "dispatch.hpp"

namespace ctckit {

float Selection::bar() const { return std::bit_cast<float>(least - 1); }

// The search lets at most 2 · width candidates wait before it chooses, one token adds 2 · width at most, and those that
// were chosen before are another width. A vector is written whole.
Candidates::Candidates(int beam_width) {
  const auto room = static_cast<size_t>(6 * whole_blocks(beam_width) + 512);
  values.resize(room);
  entries.resize(room);
  tokens.resize(room);
}

float Candidates::top() const {
  return count == 0 ? 0 : beam_kernels().maximum(values.data(), count);
}

void Candidates::keep(Selection selection, const std::vector<float>& staying, int staying_count) {
  for (int i = 0; i < staying_count && selection.ties > 0; ++i) selection.keeps(staying[static_cast<size_t>(i)]);
  size_t kept = 0;
  for (size_t k = 0; k < static_cast<size_t>(count); ++k) {
    values[kept] = values[k];
    entries[kept] = entries[k];
    tokens[kept] = tokens[k];
    kept += selection.keeps(values[k]);
  }
  count = static_cast<int>(kept);
}

// By bisection on the bits of the values: a few passes over short arrays, wherever the values lie.
Selection select(const std::vector<float>& staying, int staying_count, Candidates& candidates, int width, float bar,
                 float top) {
  const BeamKernels& kernels = beam_kernels();
  const auto end = candidates.values.begin() + candidates.count;
  std::fill(end, candidates.values.begin() + whole_blocks(candidates.count), 0.0f);
  const auto count = [&](int32_t least) {
    return kernels.count_at_least(staying.data(), staying_count, least) +
           kernels.count_at_least(candidates.values.data(), candidates.count, least);
  };
  int32_t low = std::bit_cast<int32_t>(bar), high = std::bit_cast<int32_t>(std::max(bar, top)) + 1;
  if (count(low) <= width) return {low, 0};
  int above = 0;  // values at or over `high`
  while (high - low > 1) {
    const int32_t middle = low + (high - low) / 2;
    const int found = count(middle);
    if (found == width) return {middle, 0};
    if (found > width) {
      low = middle;
    } else {
      high = middle;
      above = found;
    }
  }
  return {high, width - above};
}

}  // namespace ctckit
