// The logarithm of a weight, in nats, as a fixed-point number: sums of any logits are exact.
//
// A float64 near 1e20 has steps of 16,384. If every path of a target costs that much, the differences between the paths
// are lost, and with them the occupancies. The kernels detect this case, and exact.cpp computes it with these numbers.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

namespace ctckit {

// Words of 64 bits in two's complement, the lowest first; the unit is 2^-40 nats. Or −∞, which stays −∞ in sums.
template <int words>
class Nats {
 public:
  static Nats impossible() {
    Nats result;
    result.impossible_ = true;
    return result;
  }

  Nats() = default;

  // Exact, except for digits below the unit.
  explicit Nats(double value) {
    if (value == -std::numeric_limits<double>::infinity()) impossible_ = true;
    if (impossible_ || value == 0) return;
    int exponent = 0;
    const double mantissa = std::frexp(std::fabs(value), &exponent);
    const int shift = exponent - 53 + fraction_bits;
    uint64_t digits = static_cast<uint64_t>(std::ldexp(mantissa, 53));
    if (shift <= -64) return;
    if (shift < 0)
      word_[0] = digits >> -shift;
    else
      put(digits, shift);
    if (value < 0) negate();
  }

  bool is_impossible() const { return impossible_; }

  Nats& operator+=(const Nats& other) {
    impossible_ |= other.impossible_;
    uint64_t carry = 0;
    for (int k = 0; k < words; ++k) {
      const uint64_t sum = word_[k] + other.word_[k], with_carry = sum + carry;
      carry = (sum < word_[k]) | (with_carry < sum);
      word_[k] = with_carry;
    }
    return *this;
  }
  friend Nats operator+(Nats a, const Nats& b) { return a += b; }
  friend Nats operator-(Nats a, Nats b) {
    b.negate();
    return a += b;
  }

  friend bool operator<(const Nats& a, const Nats& b) {
    if (a.impossible_ || b.impossible_) return a.impossible_ && !b.impossible_;
    return (a - b).is_negative();
  }

  explicit operator double() const {
    if (impossible_) return -std::numeric_limits<double>::infinity();
    Nats magnitude = *this;
    if (is_negative()) magnitude.negate();
    double sum = 0;
    for (int k = words - 1; k >= 0; --k)
      sum += std::ldexp(static_cast<double>(magnitude.word_[k]), 64 * k - fraction_bits);
    return is_negative() ? -sum : sum;
  }

 private:
  static constexpr int fraction_bits = 40;

  bool is_negative() const { return word_[words - 1] >> 63; }

  void put(uint64_t digits, int shift) {
    const int first = shift / 64, inside = shift % 64;
    word_[first] = digits << inside;
    if (inside > 0 && first + 1 < words) word_[first + 1] = digits >> (64 - inside);
  }

  void negate() {
    uint64_t carry = 1;
    for (uint64_t& each : word_) {
      each = ~each + carry;
      carry = carry && each == 0;
    }
  }

  uint64_t word_[words] = {};
  bool impossible_ = false;
};

// For sums of float32 numbers, and of float64 numbers: the largest number, times 2^20 frames, and the unit.
using FloatNats = Nats<3>;
using DoubleNats = Nats<18>;

}  // namespace ctckit
