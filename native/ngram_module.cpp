// The Python face of the language model; used by ctckit.decoding.language_model.
#include "ngram_module.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "ngram.hpp"
#include "ngram_io.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using ctckit::NGram;
using Bytes = nb::ndarray<const uint8_t, nb::device::cpu, nb::ndim<1>, nb::c_contig>;

std::string_view view(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.shape(0)}; }

std::tuple<double, uint32_t> query(const NGram& model, uint32_t state, uint32_t word) {
  const NGram::Step step = model.query(state, word);
  return {step.log_prob, step.state};
}

double log_prob(const NGram& model, const std::vector<std::string_view>& words, bool bos, bool eos) {
  double sum = 0;
  uint32_t state = bos ? model.start() : model.empty();
  for (const std::string_view word : words) {
    const NGram::Step step = model.query(state, model.find(word));
    sum += step.log_prob;
    state = step.state;
  }
  return eos ? sum + model.query(state, model.end()).log_prob : sum;
}

}  // namespace

void bind_ngram(nb::module_& m) {
  nb::exception<ctckit::FormatError>(m, "FormatError", PyExc_ValueError);
  nb::class_<NGram>(m, "NGram")
      .def_prop_ro("start", &NGram::start)
      .def_prop_ro("empty", &NGram::empty)
      .def_prop_ro("unknown", &NGram::unknown)
      .def_prop_ro("begin", &NGram::begin)
      .def_prop_ro("end", &NGram::end)
      .def_prop_ro("order", &NGram::order)
      .def_prop_ro("counts",
                   [](const NGram& model) {
                     const auto& counts = model.header().counts;
                     return std::vector<uint64_t>(counts.begin(), counts.begin() + model.order());
                   })
      .def_prop_ro("bytes", [](const NGram& model) { return model.header().bytes; })
      .def_prop_ro("note", [](const NGram& model) { return nb::bytes(model.note().data(), model.note().size()); })
      .def("__len__", &NGram::size)
      .def("unigram", &NGram::unigram, "word"_a)
      .def("find", &NGram::find, "word"_a)
      .def("word", &NGram::word, "id"_a)
      .def("query", &query, "state"_a, "word"_a)
      .def("log_prob", &log_prob, "words"_a, "bos"_a, "eos"_a);
  m.def(
      "ngram_from_arpa",
      [](const Bytes& text) {
        const nb::gil_scoped_release released;
        return ctckit::ngram_from_arpa(view(text));
      },
      "text"_a.noconvert());
}
