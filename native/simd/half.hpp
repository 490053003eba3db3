// Converts frames of float16 and bfloat16 to float32 and back, to the nearest, ties to even.
#pragma once
#include "core/logits.hpp"
#include "simd/vector.hpp"

namespace ctckit::CTCKIT_ISA {

using Word = Vector<uint32_t>;
typedef uint16_t HalfWord __attribute__((vector_size(vector_bytes / 2)));

CTCKIT_INLINE Vector<float> as_float(Word bits) { return reinterpret_cast<Vector<float>>(bits); }
CTCKIT_INLINE Word as_word(Vector<float> value) { return reinterpret_cast<Word>(value); }
CTCKIT_INLINE Word select(Vector<int32_t> mask, Word yes, Word no) { return mask ? yes : no; }

CTCKIT_INLINE Vector<float> widen(Brain, Word bits) { return as_float(bits << 16); }

CTCKIT_INLINE Word narrow(Brain, Vector<float> value) {
  const Word bits = as_word(value);
  return select(value != value, Word{} + 0x7fc0u, (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// float16 has 5 bits of exponent with a bias of 15, float32 has 8 and 127: 112 more.
CTCKIT_INLINE Vector<float> widen(Half, Word bits) {
  const Word magnitude = (bits & 0x7fffu) << 13;
  const Word finite = as_word(as_float(magnitude) * 0x1p112f);
  const Word value = select(magnitude >= 0x0f800000u, magnitude | 0x7f800000u, finite);  // infinity and NaN
  return as_float(value | ((bits & 0x8000u) << 16));
}

CTCKIT_INLINE Word narrow(Half, Vector<float> value) {
  const Word bits = as_word(value), magnitude = bits & 0x7fffffffu;
  const Word normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - (112u << 23)) >> 13;
  // Adding 0.5 lets the processor round away the bits below 2^-24, float16's smallest step.
  const Word small = as_word(as_float(magnitude) + 0.5f) - 0x3f000000u;
  Word result = select(magnitude < 0x38800000u, small, normal);         // below 2^-14: subnormal
  result = select(magnitude >= 0x477ff000u, Word{} + 0x7c00u, result);  // 65520 and above: infinity
  result = select(magnitude > 0x7f800000u, Word{} + 0x7e00u, result);   // NaN
  return result | ((bits >> 16) & 0x8000u);
}

template <class Logit>
CTCKIT_INLINE void decode_frame(const Logit* from, int64_t count, float* to) {
  int64_t k = 0;
  for (; k < count; k += lanes<float>) {
    if (k + lanes<float> > count) {
      if (count < lanes<float>) break;
      k = count - lanes<float>;  // converts the last values once more
    }
    HalfWord bits;
    std::memcpy(&bits, from + k, sizeof bits);
    store(to + k, widen(Logit{}, __builtin_convertvector(bits, Word)));
  }
  for (; k < count; ++k) to[k] = widen(Logit{}, Word{} + uint32_t{from[k].bits})[0];
}

template <class Logit>
CTCKIT_INLINE void encode_frame(const float* from, int64_t count, Logit* to) {
  int64_t k = 0;
  for (; k < count; k += lanes<float>) {
    if (k + lanes<float> > count) {
      if (count < lanes<float>) break;
      k = count - lanes<float>;
    }
    const HalfWord bits = __builtin_convertvector(narrow(Logit{}, load(from + k)), HalfWord);
    std::memcpy(to + k, &bits, sizeof bits);
  }
  for (; k < count; ++k) to[k].bits = static_cast<uint16_t>(narrow(Logit{}, broadcast(from[k]))[0]);
}

}  // namespace ctckit::CTCKIT_ISA
