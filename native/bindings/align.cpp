// Bindings of align/, for ctckit.kernels.native_align.
#include "bindings/bindings.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>

#include "align/align.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class T, class... Options>
using Array = nb::ndarray<T, nb::device::cpu, Options...>;
template <class T>
using List = Array<T, nb::ndim<1>, nb::c_contig>;
template <class T>
using Table = Array<T, nb::ndim<2>, nb::c_contig>;
template <class Real>
using LogProbs = Array<const Real, nb::ndim<3>>;
using Weights = Array<const double, nb::ndim<3>, nb::c_contig>;

template <class Real>
void align(LogProbs<Real> log_probs, Table<const int32_t> tokens, List<const int64_t> input_lengths,
           List<const int64_t> token_lengths, int blank, std::optional<Weights> weights,
           std::optional<List<const double>> empty, int64_t checkpoint_frames, int64_t single_from, int64_t prune_from,
           List<double> scores, Table<int64_t> starts, Table<int64_t> ends, std::optional<List<int64_t>> cells) {
  ctckit::AlignBatch<Real> batch{};
  batch.log_probs = log_probs.data();
  batch.item_stride = log_probs.stride(0);
  batch.frame_stride = log_probs.stride(1);
  batch.items = static_cast<int64_t>(log_probs.shape(0));
  batch.classes = static_cast<int>(log_probs.shape(2));
  batch.blank = blank;
  batch.tokens = tokens.data();
  batch.token_stride = static_cast<int64_t>(tokens.shape(1));
  batch.input_lengths = input_lengths.data();
  batch.token_lengths = token_lengths.data();
  if (weights) {
    batch.weights = weights->data();
    batch.states = static_cast<int64_t>(weights->shape(2));
  }
  batch.empty = empty ? empty->data() : nullptr;
  const ctckit::AlignedPaths paths{scores.data(), starts.data(), ends.data(), cells ? cells->data() : nullptr};
  ctckit::AlignOptions options;
  if (checkpoint_frames >= 0) options.checkpoint_frames = checkpoint_frames;
  if (single_from >= 0) options.single_from = single_from;
  if (prune_from >= 0) options.prune_from = prune_from;
  const nb::gil_scoped_release released;
  ctckit::align_batch(batch, options, paths);
}

template <class Real>
void bind(nb::module_& m, const char* name) {
  m.def(name, &align<Real>, "log_probs"_a.noconvert(), "tokens"_a.noconvert(), "input_lengths"_a.noconvert(),
        "token_lengths"_a.noconvert(), "blank"_a, "weights"_a.noconvert().none(), "empty"_a.noconvert().none(),
        "checkpoint_frames"_a, "single_from"_a, "prune_from"_a, "log_probs_of_paths"_a.noconvert(),
        "starts"_a.noconvert(), "ends"_a.noconvert(), "cells"_a.noconvert().none());
}

}  // namespace

void bind_align(nb::module_& m) {
  bind<float>(m, "align_float32");
  bind<double>(m, "align_float64");
}
