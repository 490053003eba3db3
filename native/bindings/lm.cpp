// Bindings of lm/, for ctckit.kernels.ngram.
#include "bindings/bindings.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/exclusive.hpp"
#include "lm/io.hpp"
#include "lm/ngram.hpp"
#include "lm/train.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using ctckit::NGram;
using Trainer = ctckit::Exclusive<ctckit::NGramTrainer>;
using Bytes = nb::ndarray<const uint8_t, nb::device::cpu, nb::ndim<1>, nb::c_contig>;

std::string_view view(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.shape(0)}; }

std::tuple<double, uint32_t> query(const NGram& model, uint32_t state, uint32_t word) {
  const NGram::Step step = model.query(state, word);
  return {step.log_prob, step.state};
}

// An unchecked damaged file may hold invalid UTF-8.
nb::str word(const NGram& model, uint32_t id) {
  const std::string_view found = model.word(id);
  return nb::steal<nb::str>(PyUnicode_DecodeUTF8(found.data(), static_cast<Py_ssize_t>(found.size()), "replace"));
}

// The model's memory after its header, without a copy.
nb::ndarray<nb::numpy, const uint8_t, nb::ndim<1>> body(const std::shared_ptr<const NGram>& model) {
  auto kept = std::make_unique<std::shared_ptr<const NGram>>(model);
  const auto* const data = reinterpret_cast<const uint8_t*>(model->data()) + sizeof(NGram::Header);
  nb::capsule owner(kept.get(), [](void* each) noexcept {
    const std::unique_ptr<std::shared_ptr<const NGram>> released(static_cast<std::shared_ptr<const NGram>*>(each));
  });
  (void)kept.release();  // the capsule owns it now
  return {data, {model->header().bytes - sizeof(NGram::Header)}, owner};
}

nb::bytes header(const NGram& model, const nb::bytes& note) {
  const NGram::Header found = ctckit::file_header(model, {note.c_str(), note.size()});
  return nb::bytes(&found, sizeof found);
}

using Amounts = std::tuple<double, double, double, bool>;

std::tuple<std::shared_ptr<const NGram>, std::vector<Amounts>> train(Trainer& owned) {
  std::vector<ctckit::Discounts> discounts;
  std::shared_ptr<const NGram> model;
  owned.use([&](ctckit::NGramTrainer& trainer) {
    const nb::gil_scoped_release released;
    model = trainer.train(discounts);
  });
  std::vector<Amounts> amounts;
  for (const auto& [each, fallback] : discounts) amounts.emplace_back(each[0], each[1], each[2], fallback);
  return {model, amounts};
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

void bind_lm(nb::module_& m) {
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
      .def("word", &word, "id"_a)
      .def("query", &query, "state"_a, "word"_a)
      .def("match", &NGram::match, "state"_a, "word"_a)
      .def("look_ahead", &NGram::look_ahead, "word"_a)
      .def("log_prob", &log_prob, "words"_a, "bos"_a, "eos"_a)
      .def("is_intact", &ctckit::is_intact, nb::call_guard<nb::gil_scoped_release>())
      .def("header", &header, "note"_a)
      .def("body", &body)
      .def("arpa", [](const NGram& model) {
        std::string text;
        {
          const nb::gil_scoped_release released;
          text = ctckit::arpa_text(model);
        }
        return nb::bytes(text.data(), text.size());
      });
  m.def("ngram_from_file", &ctckit::ngram_from_file, "path"_a);
  m.def(
      "ngram_from_bytes",
      [](const nb::bytes& content) { return ctckit::ngram_from_bytes({content.c_str(), content.size()}); },
      "content"_a);
  nb::class_<Trainer>(m, "NGramTrainer")
      .def(nb::init<int, std::vector<uint64_t>>(), "order"_a, "prune"_a)
      .def(
          "add",
          [](Trainer& owned, const nb::bytes& text, bool characters, const std::string& space) {
            const std::string_view lines(text.c_str(), text.size());
            owned.use([&](ctckit::NGramTrainer& trainer) {
              const nb::gil_scoped_release released;
              trainer.add(lines, characters ? ctckit::Unit::characters : ctckit::Unit::words, space);
            });
          },
          "text"_a, "characters"_a, "space"_a)
      .def_prop_ro(
          "lines",
          [](Trainer& owned) { return owned.use([](ctckit::NGramTrainer& trainer) { return trainer.lines(); }); })
      .def_prop_ro(
          "entries",
          [](Trainer& owned) { return owned.use([](ctckit::NGramTrainer& trainer) { return trainer.entries(); }); })
      .def("train", &train);
  m.def(
      "ngram_from_arpa",
      [](const Bytes& text) {
        const nb::gil_scoped_release released;
        return ctckit::ngram_from_arpa(view(text));
      },
      "text"_a.noconvert());
}
