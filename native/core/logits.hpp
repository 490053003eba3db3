// How a network's output is stored, and what its numbers mean.
#pragma once
#include <cstdint>

namespace ctckit {

// The meaning of the input x of one frame, and the gradient of the loss with respect to it (γ: occupancy of the
// classes).
enum class InputKind {
  logits,     // emissions are the log-softmax of x;  gradient softmax(x) − γ
  scores,     // emissions are x;                     gradient −γ
  log_probs,  // emissions are x;                     gradient e^x − γ, as in PyTorch
};

// Logits of 16 bits: IEEE's float16, and bfloat16. The kernels compute them in float32.
struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

template <class Logit>
struct ComputedIn {
  using type = float;
};
template <>
struct ComputedIn<double> {
  using type = double;
};

}  // namespace ctckit
