#include "search/candidates.hpp"

#include <algorithm>
#include <bit>

#include "simd/dispatch.hpp"

namespace ctckit {

// The search collects at most 2 · width candidates before it chooses. One token adds at most 2 · width, and earlier
// choices keep another width. Stores write whole vectors.
Candidates::Candidates(int beam_width) {
  const auto room = static_cast<size_t>(6 * whole_blocks(beam_width) + 512);
  values.resize(room);
  entries.resize(room);
  tokens.resize(room);
}

float Candidates::top() const { return count == 0 ? 0 : beam_kernels().maximum(values.data(), count); }

void Candidates::keep(std::span<const int32_t> chosen) {
  for (size_t k = 0; k < chosen.size(); ++k) {
    const auto from = static_cast<size_t>(chosen[k]);
    values[k] = values[from];
    entries[k] = entries[from];
    tokens[k] = tokens[from];
  }
  count = static_cast<int>(chosen.size());
}

Choice::Choice(int beam_width)
    : values_(Candidates(beam_width).values.size() + static_cast<size_t>(whole_blocks(beam_width))),
      leaving_(static_cast<size_t>(whole_blocks(beam_width) + beam_block)),
      coming_(values_.size() + beam_block) {}

Selection Choice::select(const std::vector<float>& staying, int staying_count, const Candidates& candidates, int width,
                         float threshold, float top) {
  const auto end = std::copy_n(candidates.values.begin(), candidates.count,
                               std::copy_n(staying.begin(), staying_count, values_.begin()));
  const int count = staying_count + candidates.count;
  std::fill(end, values_.begin() + whole_blocks(count), 0.0f);
  const auto low = std::bit_cast<int32_t>(threshold), high = std::bit_cast<int32_t>(std::max(threshold, top)) + 1;
  return beam_kernels().choose(values_.data(), count, width, low, high);
}

namespace {

bool tied(Selection selection, float value) { return std::bit_cast<int32_t>(value) == selection.least - 1; }

}  // namespace

std::span<const int32_t> Choice::leaving(Selection selection, const std::vector<float>& staying, int staying_count) {
  const int found = beam_kernels().not_above(staying.data(), staying_count, selection.threshold(), leaving_.data());
  const auto end = leaving_.begin() + found;
  const auto stays = [&](int32_t i) {
    const bool one = selection.ties > 0 && tied(selection, staying[static_cast<size_t>(i)]);
    selection.ties -= one;
    return one;
  };
  return {leaving_.begin(), selection.ties > 0 ? std::remove_if(leaving_.begin(), end, stays) : end};
}

std::span<const int32_t> Choice::coming(Selection selection, const std::vector<float>& staying, int staying_count,
                                        const Candidates& candidates) {
  size_t found = 0;
  if (selection.ties == 0) {
    found = static_cast<size_t>(
        beam_kernels().above(candidates.values.data(), candidates.count, selection.threshold(), coming_.data()));
    return {coming_.data(), found};
  }
  for (int i = 0; i < staying_count; ++i)
    selection.ties -= selection.ties > 0 && tied(selection, staying[static_cast<size_t>(i)]);
  for (int k = 0; k < candidates.count; ++k) {
    const float value = candidates.values[static_cast<size_t>(k)];
    const bool one = selection.ties > 0 && tied(selection, value);
    selection.ties -= one;
    if (value > selection.threshold() || one) coming_[found++] = k;
  }
  return {coming_.data(), found};
}

}  // namespace ctckit
