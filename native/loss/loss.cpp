#include "loss/loss.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "core/threads.hpp"
#include "loss/exact.hpp"
#include "loss/item.hpp"
#include "simd/dispatch.hpp"

namespace ctckit {

int64_t frames_needed(const int32_t* target, int64_t tokens) {
  int64_t needed = tokens;
  for (int64_t i = 1; i < tokens; ++i) needed += target[i] == target[i - 1];
  return needed;
}

namespace {

// 64-byte aligned memory that each thread keeps between calls. trim() frees it if it is large.
class Workspace {
 public:
  std::byte* reserve(size_t bytes) {
    if (bytes > size_) {
      memory_.reset();
      size_ = 0;
      memory_.reset(static_cast<std::byte*>(::operator new(bytes, alignment)));
      size_ = bytes;
    }
#if defined(CTCKIT_POISON)
    // Makes a read of uninitialized memory visible: NaN spreads, and large numbers change comparisons.
    poison_ = poison_ == 0xff ? 0x4b : 0xff;
    std::memset(memory_.get(), poison_, bytes);
#endif
    return memory_.get();
  }
  void trim() {
    if (size_ <= keep) return;
    memory_.reset();
    size_ = 0;
  }

 private:
  static constexpr std::align_val_t alignment{64};
  static constexpr size_t keep = 8 << 20;
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, alignment); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  size_t size_ = 0;
#if defined(CTCKIT_POISON)
  int poison_ = 0;
#endif
};

Workspace& workspace() {
  thread_local Workspace instance;
  return instance;
}

const LossKernel<float>& kernel(float) { return loss_kernels().float32; }
const LossKernel<double>& kernel(double) { return loss_kernels().float64; }
const LossKernel<Half>& kernel(Half) { return loss_kernels().float16; }
const LossKernel<Brain>& kernel(Brain) { return loss_kernels().bfloat16; }

template <class Logit>
Logit not_a_number() {
  return std::numeric_limits<Logit>::quiet_NaN();
}
template <>
Half not_a_number() {
  return {0x7e00};
}
template <>
Brain not_a_number() {
  return {0x7fc0};
}

// The loss of an item without frames: 0 if a path may start and end in the same blank.
double empty_path_loss(const TokenGraph& graph, int tokens) {
  const double *const start = graph.of(start_weight), *const final = graph.of(final_weight);
  for (int s = 0; s <= 2 * tokens; s += 2)
    if (!std::isinf(start[s]) && !std::isinf(final[s])) return 0;
  return std::numeric_limits<double>::infinity();
}

}  // namespace

template <class Logit>
double loss_of(const Item<Logit>& item) {
  if (item.graph && item.frames == 0) return empty_path_loss(*item.graph, item.tokens);
  const bool whole = !item.graph && !item.entry && !item.exit;
  if (whole && item.frames < frames_needed(item.target, item.tokens)) return std::numeric_limits<double>::infinity();
  const auto attempt = [&](Range range) {
    const size_t bytes = kernel(Logit{}).workspace_bytes(range, size_of(item));
    return kernel(Logit{}).solve(item, range, workspace().reserve(bytes));
  };
  // Counts are sums over all frames: computed in float64.
  const bool wide = sizeof(Logit) == 8 || (item.graph && item.graph->counts);
  Outcome outcome = attempt(wide ? Range::wide : Range::fast);
  if (outcome.out_of_range) outcome = attempt(Range::wide);
  workspace().trim();
  return outcome.out_of_range ? exact_loss_of(item) : outcome.loss;
}

template double loss_of<float>(const Item<float>&);
template double loss_of<double>(const Item<double>&);

namespace {

constexpr int64_t beyond_caches = 24 << 20;  // bytes

template <class Logit>
Item<Logit> item_of(const Batch<Logit>& batch, int64_t b) {
  Item<Logit> item{};
  item.logits = batch.logits + b * batch.item_stride;
  item.frame_stride = batch.frame_stride;
  item.frames = static_cast<int>(batch.input_lengths[b]);
  item.classes = static_cast<int>(batch.classes);
  item.blank = batch.blank;
  item.target = batch.targets + b * batch.target_stride;
  item.tokens = static_cast<int>(batch.target_lengths[b]);
  item.input_kind = batch.input_kind;
  item.weight = batch.weights[b];
  item.gradient = batch.gradient ? batch.gradient + b * batch.frames * batch.classes : nullptr;
  item.stream = batch.items * batch.frames * batch.classes * static_cast<int64_t>(sizeof(Logit)) > beyond_caches;
  item.normalizers = batch.normalizers ? batch.normalizers + b * 2 * batch.frames : nullptr;
  item.normalizer_stride = batch.frames;
  item.normalized = batch.normalized;
  return item;
}

template <class Logit>
void run_item(const Batch<Logit>& batch, int64_t b) {
  Item<Logit> item = item_of(batch, b);
  const TokenGraph graph = batch.graphs ? batch.graphs->item(b) : TokenGraph{};
  if (batch.graphs) item.graph = &graph;
  const double loss = loss_of(item);
  batch.losses[b] = loss;
  if (!item.gradient) return;
  Logit* const valid_end = item.gradient + batch.input_lengths[b] * batch.classes;
  // The kernel wrote the gradient of a finite loss. A loss of NaN has a gradient of NaN, an infinite loss a gradient of
  // 0.
  if (std::isnan(loss)) std::fill(item.gradient, valid_end, not_a_number<Logit>());
  if (std::isinf(loss)) std::fill(item.gradient, valid_end, Logit{});
  std::fill(valid_end, item.gradient + batch.frames * batch.classes, Logit{});
}

}  // namespace

template <class Logit>
void ctc_loss(const Batch<Logit>& batch) {
  if (sizeof(Logit) < 4 && batch.graphs)
    throw std::invalid_argument("token graphs with weights need float32 or float64 logits");
  // The most expensive items first, so that no thread starts a long item at the end.
  std::vector<int64_t> order(static_cast<size_t>(batch.items));
  std::iota(order.begin(), order.end(), 0);
  const auto cost = [&](int64_t b) { return batch.input_lengths[b] * (batch.target_lengths[b] + batch.classes / 16); };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return cost(a) > cost(b); });
  parallel_for(batch.items, [&](int64_t i) { run_item(batch, order[static_cast<size_t>(i)]); });
}

template void ctc_loss<float>(const Batch<float>&);
template void ctc_loss<double>(const Batch<double>&);
template void ctc_loss<Half>(const Batch<Half>&);
template void ctc_loss<Brain>(const Batch<Brain>&);

}  // namespace ctckit
