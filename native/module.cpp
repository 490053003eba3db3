// The Python face of the core. Shapes and contents are checked in Python (kernels/native.py, _checks.py).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "dispatch.hpp"
#include "loss.hpp"
#include "threads.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class T, class... Options>
using Array = nb::ndarray<T, nb::device::cpu, Options...>;

template <class Logit>
void ctc_loss(Array<const Logit, nb::ndim<3>> logits, Array<const int32_t, nb::ndim<2>, nb::c_contig> targets,
              Array<const int64_t, nb::ndim<1>, nb::c_contig> input_lengths,
              Array<const int64_t, nb::ndim<1>, nb::c_contig> target_lengths, int blank, const std::string& rows,
              Array<const double, nb::ndim<1>, nb::c_contig> weights,
              Array<double, nb::ndim<1>, nb::c_contig> losses,
              std::optional<Array<Logit, nb::ndim<3>, nb::c_contig>> gradient) {
  ctckit::Batch<Logit> batch{};
  batch.logits = logits.data();
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
  batch.rows = rows == "logits" ? ctckit::Rows::logits
               : rows == "scores" ? ctckit::Rows::scores
                                  : ctckit::Rows::log_probs;
  batch.weights = weights.data();
  batch.losses = losses.data();
  batch.gradient = gradient ? gradient->data() : nullptr;
  const nb::gil_scoped_release released;
  ctckit::ctc_loss(batch);
}

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "The C++ core of ctckit. Use ctckit.kernels.native.";
  const auto loss = [&]<class Logit>(Logit) {
    m.def("ctc_loss", &ctc_loss<Logit>, "logits"_a.noconvert(), "targets"_a.noconvert(),
          "input_lengths"_a.noconvert(), "target_lengths"_a.noconvert(), "blank"_a, "rows"_a,
          "weights"_a.noconvert(), "losses"_a.noconvert(), "gradient"_a.noconvert().none());
  };
  loss(float{});
  loss(double{});
  m.def("instruction_sets", &ctckit::instruction_sets);
  m.def("instruction_set", &ctckit::instruction_set);
  m.def("set_instruction_set", &ctckit::set_instruction_set, "name"_a);
  m.def("num_threads", &ctckit::num_threads);
  m.def("set_num_threads", &ctckit::set_num_threads, "count"_a);
}
