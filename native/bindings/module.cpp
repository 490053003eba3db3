// The module _native, with the bindings of loss/, core/ and the choice of the instruction set, for
// ctckit.kernels.native.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>

#include "bindings/bindings.hpp"
#include "core/buffers.hpp"
#include "core/processors.hpp"
#include "core/threads.hpp"
#include "loss/hvp.hpp"
#include "loss/loss.hpp"
#include "simd/dispatch.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class T, class... Options>
using Array = nb::ndarray<T, nb::device::cpu, Options...>;

using Targets = Array<const int32_t, nb::ndim<2>, nb::c_contig>;
using Lengths = Array<const int64_t, nb::ndim<1>, nb::c_contig>;
using Weights = Array<const double, nb::ndim<1>, nb::c_contig>;
template <class T>
using Cube = Array<T, nb::ndim<3>, nb::c_contig>;

// nanobind has no names for 16-bit floating-point types: they come as 16-bit integers with the same bits.
template <class Logit>
struct StoredAs {
  using type = Logit;
};
template <>
struct StoredAs<ctckit::Half> {
  using type = uint16_t;
};
template <>
struct StoredAs<ctckit::Brain> {
  using type = uint16_t;
};
template <class Logit>
using Stored = typename StoredAs<Logit>::type;
template <class Logit>
using Logits = Array<const Stored<Logit>, nb::ndim<3>>;
template <class Logit>
using Result = Cube<Stored<Logit>>;
template <class Logit>
using Normalizers = Cube<typename ctckit::ComputedIn<Logit>::type>;

ctckit::InputKind input_kind_of(const std::string& name) {
  if (name == "logits") return ctckit::InputKind::logits;
  if (name == "scores") return ctckit::InputKind::scores;
  if (name == "log_probs") return ctckit::InputKind::log_probs;
  throw nb::value_error("input_kind is not one of logits, scores, log_probs");
}

ctckit::TokenGraphs graphs_of(const std::optional<Cube<const double>>& weights,
                              const std::optional<Cube<double>>& counts) {
  if (!weights) return {};
  return {weights->data(), counts ? counts->data() : nullptr, static_cast<int64_t>(weights->shape(2))};
}

template <class Logit>
ctckit::Batch<Logit> batch_of(const Logits<Logit>& logits, const Targets& targets, const Lengths& input_lengths,
                              const Lengths& target_lengths, int blank, const std::string& input_kind,
                              const Weights& weights) {
  ctckit::Batch<Logit> batch{};
  batch.logits = reinterpret_cast<const Logit*>(logits.data());
  batch.item_stride = logits.stride(0);
  batch.frame_stride = logits.stride(1);
  batch.items = static_cast<int64_t>(logits.shape(0));
  batch.frames = static_cast<int64_t>(logits.shape(1));
  batch.classes = static_cast<int64_t>(logits.shape(2));
  batch.targets = targets.data();
  batch.target_stride = static_cast<int64_t>(targets.shape(1));
  batch.input_lengths = input_lengths.data();
  batch.target_lengths = target_lengths.data();
  batch.blank = blank;
  batch.input_kind = input_kind_of(input_kind);
  batch.weights = weights.data();
  return batch;
}

template <class Logit>
void ctc_loss(Logits<Logit> logits, Targets targets, Lengths input_lengths, Lengths target_lengths, int blank,
              const std::string& input_kind, Weights weights, Array<double, nb::ndim<1>, nb::c_contig> losses,
              std::optional<Result<Logit>> gradient, std::optional<Normalizers<Logit>> normalizers, bool normalized,
              std::optional<Cube<const double>> graphs, std::optional<Cube<double>> counts) {
  auto batch = batch_of<Logit>(logits, targets, input_lengths, target_lengths, blank, input_kind, weights);
  batch.losses = losses.data();
  batch.gradient = gradient ? reinterpret_cast<Logit*>(gradient->data()) : nullptr;
  batch.normalizers = normalizers ? normalizers->data() : nullptr;
  batch.normalized = normalized;
  const ctckit::TokenGraphs weighted = graphs_of(graphs, counts);
  if (graphs) batch.graphs = &weighted;
  const nb::gil_scoped_release released;
  ctckit::ctc_loss(batch);
}

template <class Logit>
void ctc_hvp(Logits<Logit> logits, Targets targets, Lengths input_lengths, Lengths target_lengths, int blank,
             const std::string& input_kind, Weights weights, Cube<const Logit> direction, Result<Logit> result,
             std::optional<Cube<const double>> graphs) {
  auto batch = batch_of<Logit>(logits, targets, input_lengths, target_lengths, blank, input_kind, weights);
  const ctckit::TokenGraphs weighted = graphs_of(graphs, std::nullopt);
  if (graphs) batch.graphs = &weighted;
  const nb::gil_scoped_release released;
  ctckit::ctc_hvp(batch, direction.data(), result.data());
}

// An uninitialized array with memory from the store of buffers. The last reference gives the memory back.
nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>> buffer(size_t size) {
  auto owned = std::make_unique<ctckit::Buffer>(size);
  void* const data = owned->data();
  nb::capsule owner(owned.get(), [](void* each) noexcept {
    const std::unique_ptr<ctckit::Buffer> released(static_cast<ctckit::Buffer*>(each));
  });
  (void)owned.release();  // the capsule owns it now
  return {data, {size}, owner};
}

}  // namespace

NB_MODULE(_native, m) {
  nb::set_leak_warnings(false);  // a daemon thread that holds a model when Python exits is no error of the user
  m.doc() = "The C++ core of ctckit. Use ctckit.kernels.native.";
  const auto loss = [&]<class Logit>(Logit, const char* name) {
    m.def(name, &ctc_loss<Logit>, "logits"_a.noconvert(), "targets"_a.noconvert(), "input_lengths"_a.noconvert(),
          "target_lengths"_a.noconvert(), "blank"_a, "input_kind"_a, "weights"_a.noconvert(), "losses"_a.noconvert(),
          "gradient"_a.noconvert().none(), "normalizers"_a.noconvert().none(), "normalized"_a,
          "transitions"_a.noconvert().none(), "counts"_a.noconvert().none());
  };
  loss(float{}, "ctc_loss_float32");
  loss(double{}, "ctc_loss_float64");
  loss(ctckit::Half{}, "ctc_loss_float16");
  loss(ctckit::Brain{}, "ctc_loss_bfloat16");
  const auto hvp = [&]<class Logit>(Logit) {
    m.def("ctc_hvp", &ctc_hvp<Logit>, "logits"_a.noconvert(), "targets"_a.noconvert(), "input_lengths"_a.noconvert(),
          "target_lengths"_a.noconvert(), "blank"_a, "input_kind"_a, "weights"_a.noconvert(), "direction"_a.noconvert(),
          "result"_a.noconvert(), "transitions"_a.noconvert().none());
  };
  hvp(float{});
  hvp(double{});
  m.def("buffer", &buffer, "size"_a);
  m.def("instruction_sets", &ctckit::instruction_sets);
  m.def("instruction_set", &ctckit::instruction_set);
  m.def("set_instruction_set", &ctckit::set_instruction_set, "name"_a);
  m.def("num_threads", &ctckit::num_threads);
  m.def("quota_processors", &ctckit::quota_processors, "root"_a, "membership"_a);
  m.def("share_openmp", &ctckit::share_openmp, "library"_a);
  m.def("set_num_threads", &ctckit::set_num_threads, "count"_a);
  bind_lm(m);
  bind_search(m);
  bind_align(m);
}
