// The dense loops of the search: over the classes of a frame, over the entries of the beam. See beam_kernel.hpp.
#include "beam_kernel.hpp"
#include "lanes.hpp"
#include "softmax.hpp"

namespace ctckit::CTCKIT_ISA {

namespace {

constexpr int width = lanes<float>;
static_assert(beam_block % width == 0);

float most(const float* x, int count) { return row_maximum(x, count); }

float exponentials(const float* x, int classes, float* out) {
  const float top = row_maximum(x, classes);
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

Extremes stay(const StayInput& beam, const float* probs, float blank_prob, float* masses, float* label) {
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
    most = maximum(total, most);
    least = minimum(i + width <= beam.count ? total : (first_lanes(beam.count - i) ? total : least), least);
  }
  return {horizontal_min<float>(least), horizontal_max<float>(most)};
}

int above(const float* x, int count, float bound, int32_t* found) {
  int result = 0, i = 0;
  for (; i + width <= count; i += width)
    if (const Bits selected = bits_of(load(x + i) > bound))  // rare among thousands of classes
      result += store_selected(found + result, lane_numbers() + i, selected);
  for (; i < count; ++i)
    if (x[i] > bound) found[result++] = i;
  return result;
}

int extend(const float* weights, int count, float prob, float bar, const uint64_t* excluded, float* values,
           int32_t* indices) {
  int found = 0;
  for (int i = 0; i < count; i += width) {
    const Vector<float> value = load(weights + i) * prob;
    const Bits selected = bits_of(value > bar) & ~static_cast<Bits>(excluded[i >> 6] >> (i & 63));
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

int count_at_least(const float* values, int count, int32_t least) {
  Vector<int32_t> minus_count{};
  for (int i = 0; i < count; i += width) minus_count += load(reinterpret_cast<const int32_t*>(values) + i) >= least;
  return -horizontal_sum<int32_t>(minus_count);
}

}  // namespace

extern const BeamKernels beam_kernels;
const BeamKernels beam_kernels = {most, exponentials, stay, above, extend, pass_on, count_at_least};

}  // namespace ctckit::CTCKIT_ISA
