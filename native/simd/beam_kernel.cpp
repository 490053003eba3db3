// The dense loops of the search: over the classes of a frame, and over the entries of the beam. See beam_kernel.hpp.
#include "simd/beam_kernel.hpp"

#include <algorithm>

#include "simd/lanes.hpp"
#include "simd/softmax.hpp"

namespace ctckit::CTCKIT_ISA {

namespace {

constexpr int width = lanes<float>;
static_assert(beam_block % width == 0);

float most(const float* x, int count) { return frame_maximum(x, count); }

float exponentials(const float* x, int classes, float* out) {
  const float top = frame_maximum(x, classes);
  if (top == -std::numeric_limits<float>::infinity()) {
    for (int c = 0; c < whole_blocks(classes); ++c) out[c] = 0;
    return top;
  }
  int c = 0;
  for (; c + width <= classes; c += width) store(out + c, exp_negative<float>(load(x + c) - top));
  alignas(vector_bytes) float rest[width];
  for (; c < whole_blocks(classes); c += width) {
    for (int k = 0; k < width; ++k) rest[k] = c + k < classes ? x[c + k] - top : Format<float>::underflow - 1;
    store(out + c, exp_negative<float>(load(rest)));
  }
  return top;
}

Extremes stay(const StayInput& beam, const float* probs, float blank_prob, float* masses, float* label,
              float* repeated) {
  Vector<float> most{}, least = broadcast(std::numeric_limits<float>::infinity());
  for (int i = 0; i < beam.count; i += width) {
    const Vector<float> prob = gather_at<float>(probs, beam.token + i);
    const Vector<float> arriving = gather_at<float>(beam.masses, beam.source + i) * load(beam.factor + i);
    const Vector<float> blank_part = load(beam.masses + i) * blank_prob;
    const Vector<float> label_part = (load(beam.label + i) + arriving) * prob;
    const Vector<float> total = blank_part + label_part;
    store(masses + i, total);
    store(masses + beam.capacity + i, blank_part);
    store(label + i, label_part);
    store(repeated + i, load(beam.masses + beam.capacity + i) * prob);
    most = maximum(total, most);
    least = minimum(i + width <= beam.count ? total : (first_lanes(beam.count - i) ? total : least), least);
  }
  return {horizontal_min<float>(least), horizontal_max<float>(most)};
}

bool plausible(const float* x, int count, float most) {
  Vector<int32_t> valid = lane_numbers() >= 0, possible{};
  int i = 0;
  for (; i + width <= count; i += width) {
    const Vector<float> value = load(x + i);
    valid &= value <= most;
    possible |= value > -std::numeric_limits<float>::infinity();
  }
  bool all = bits_of(valid) == all_lanes, some = any(possible);
  for (; i < count; ++i) {
    all &= x[i] <= most;
    some |= x[i] > -std::numeric_limits<float>::infinity();
  }
  return all && some;
}

int above(const float* x, int count, float bound, int32_t* found) {
  int result = 0, i = 0;
  for (; i + width <= count; i += width)
    if (const Bits selected = greater(load(x + i), bound))  // rare among thousands of classes
      result += store_selected(found + result, lane_numbers() + i, selected);
  for (; i < count; ++i)
    if (x[i] > bound) found[result++] = i;
  return result;
}

// The bits of `excluded` for the lanes from i on.
CTCKIT_INLINE Bits excluded_lanes(const uint64_t* excluded, int i) {
  return static_cast<Bits>(excluded[i >> 6] >> (i & 63));
}

int above_but(const float* x, int count, float bound, const uint64_t* excluded, float* values, int32_t* indices) {
  int found = 0;
  for (int i = 0; i < count; i += width) {
    const Vector<float> value = load(x + i);
    const Bits selected = greater(value, bound) & ~excluded_lanes(excluded, i);
    if (!selected) continue;
    store_selected(values + found, value, selected);
    found += store_selected(indices + found, lane_numbers() + i, selected);
  }
  return found;
}

int not_above(const float* x, int count, float bound, int32_t* indices) {
  int found = 0;
  for (int i = 0; i < count; i += width) {
    const Vector<int32_t> numbers = lane_numbers() + i;
    found += store_selected(indices + found, numbers, bits_of((load(x + i) <= bound) & (numbers < count)));
  }
  return found;
}

int extend(const float* weights, const int32_t* last, int count, int32_t token, float prob, float threshold,
           const uint64_t* excluded, float* values, int32_t* indices) {
  int found = 0;
  for (int i = 0; i < count; i += width) {
    const Vector<float> value = load(weights + i) * prob;
    const Bits selected = greater(value, threshold) & differing(load(last + i), token) & ~excluded_lanes(excluded, i);
    if (!selected) continue;
    store_selected(values + found, value, selected);
    found += store_selected(indices + found, lane_numbers() + i, selected);
  }
  return found;
}

float pass_on(const float* probs, int count, float entering, float* on) {
  Vector<float> sum{};
  for (int c = 0; c < count; c += width) {
    const Vector<float> before = load(on + c);
    sum += before;
    store(on + c, (before + entering) * load(probs + c));
  }
  return horizontal_sum<float>(sum);
}

// Each pass over the values finds the quarter of [low, high) that holds the bound.
Selection choose(const float* values, int count, int wanted, int32_t low, int32_t high) {
  const auto* const bits = reinterpret_cast<const int32_t*>(values);
  int found[3] = {};
  for (int i = 0; i < count; i += width) found[0] += __builtin_popcount(at_least(load(bits + i), low));
  if (found[0] <= wanted) return {low, 0};
  int above = 0;  // number of values at or above `high`
  while (high - low > 1) {
    const int32_t step = std::max((high - low) / 4, 1);
    const int32_t bounds[3] = {low + step, std::min(low + 2 * step, high), std::min(low + 3 * step, high)};
    for (int& each : found) each = 0;
    for (int i = 0; i < count; i += width) {
      const Vector<int32_t> value = load(bits + i);
      for (int k = 0; k < 3; ++k) found[k] += __builtin_popcount(at_least(value, bounds[k]));
    }
    for (int k = 2; k >= 0; --k) {
      if (found[k] == wanted) return {bounds[k], 0};
      if (found[k] > wanted) {
        low = bounds[k];
        break;
      }
      high = bounds[k];
      above = found[k];
    }
  }
  return {high, wanted - above};
}

}  // namespace

extern const BeamKernels beam_kernels;
const BeamKernels beam_kernels = {most,      exponentials, stay,   plausible, above,
                                  above_but, not_above,    extend, pass_on,   choose};

}  // namespace ctckit::CTCKIT_ISA
