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
#include "lm/kenlm/model.hpp"
#include "lm/ngram.hpp"
#include "lm/train.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using ctckit::BackoffModel;
using ctckit::ModelState;
using ctckit::NGram;
using Compact = ctckit::CompactNGram;
using Kenlm = ctckit::kenlm::Model;
using Trainer = ctckit::Exclusive<ctckit::NGramTrainer>;
using Bytes = nb::ndarray<const uint8_t, nb::device::cpu, nb::ndim<1>, nb::c_contig>;

std::string_view view(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.shape(0)}; }

// In Python, a state is one number of up to 128 bits.
constexpr int part_bits = 32;

nb::object number_of(const ModelState& state) {
  nb::object number = nb::int_(state.parts[0]);
  for (size_t k = 1; k < state.parts.size(); ++k) {
    if (state.parts[k] != 0) number = number | (nb::int_(state.parts[k]) << nb::int_(k * part_bits));
  }
  return number;
}

ModelState state_of(const nb::int_& number) {
  ModelState state;
  nb::object left = nb::borrow(number);
  if (left < nb::int_(0)) throw nb::type_error("a state is a number of 0 or more.");
  for (uint32_t& part : state.parts) {
    part = nb::cast<uint32_t>(left & nb::int_(0xFFFFFFFFu));
    left = left >> nb::int_(part_bits);
    if (!nb::cast<bool>(nb::bool_(left))) return state;
  }
  throw nb::type_error("a state has at most 128 bits.");
}

nb::tuple query(const BackoffModel& model, const nb::int_& state, uint32_t word) {
  const BackoffModel::Scored scored = model.score(state_of(state), word);
  return nb::make_tuple(scored.log_prob, number_of(scored.state));
}

// The words may be any bytes.
nb::str word(const BackoffModel& model, uint32_t id) {
  const std::string_view found = model.word(id);
  return nb::steal<nb::str>(PyUnicode_DecodeUTF8(found.data(), static_cast<Py_ssize_t>(found.size()), "replace"));
}

// A model's memory after its header, without a copy.
template <class Model>
nb::ndarray<nb::numpy, const uint8_t, nb::ndim<1>> body(const std::shared_ptr<const Model>& model) {
  auto kept = std::make_unique<std::shared_ptr<const Model>>(model);
  const auto* const data = reinterpret_cast<const uint8_t*>(model->data()) + sizeof(typename Model::Header);
  nb::capsule owner(kept.get(), [](void* each) noexcept {
    const std::unique_ptr<std::shared_ptr<const Model>> released(static_cast<std::shared_ptr<const Model>*>(each));
  });
  (void)kept.release();  // the capsule owns it now
  return {data, {model->header().bytes - sizeof(typename Model::Header)}, owner};
}

template <class Model>
nb::bytes header(const Model& model, const nb::bytes& note) {
  const typename Model::Header found = ctckit::file_header(model, {note.c_str(), note.size()});
  return nb::bytes(&found, sizeof found);
}

nb::bytes arpa(const NGram& model) {
  std::string text;
  {
    const nb::gil_scoped_release released;
    text = ctckit::arpa_text(model);
  }
  return nb::bytes(text.data(), text.size());
}

// What both layouts of ctckit's own files have.
template <class Model>
nb::class_<Model, BackoffModel> own_model(nb::module_& m, const char* name) {
  return nb::class_<Model, BackoffModel>(m, name)
      .def_prop_ro("note", [](const Model& model) { return nb::bytes(model.note().data(), model.note().size()); })
      .def_prop_ro("path", &Model::path)
      .def_prop_ro("fingerprint", &Model::fingerprint)
      .def(
          "is_intact", [](const Model& model) { return ctckit::is_intact(model); },
          nb::call_guard<nb::gil_scoped_release>())
      .def("header", &header<Model>, "note"_a)
      .def("body", &body<Model>);
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

double log_prob(const BackoffModel& model, const std::vector<std::string_view>& words, bool bos, bool eos) {
  double sum = 0;
  ModelState state = bos ? model.first_state() : ModelState{};
  for (const std::string_view word : words) {
    const BackoffModel::Scored step = model.score(state, model.find(word));
    sum += step.log_prob;
    state = step.state;
  }
  return eos ? sum + model.score(state, model.end()).log_prob : sum;
}

}  // namespace

void bind_lm(nb::module_& m) {
  nb::exception<ctckit::FormatError>(m, "FormatError", PyExc_ValueError);
  nb::class_<BackoffModel>(m, "LanguageModel")
      .def("session", [](const nb::object& model) { return model; })  // any number of searches can ask it
      .def_prop_ro("start", [](const BackoffModel& model) { return number_of(model.first_state()); })
      .def_prop_ro("empty", [](const BackoffModel&) { return 0; })
      .def_prop_ro("unknown", &BackoffModel::unknown)
      .def_prop_ro("begin", &BackoffModel::begin)
      .def_prop_ro("end", &BackoffModel::end)
      .def_prop_ro("order", &BackoffModel::order)
      .def_prop_ro("counts", &BackoffModel::counts)
      .def_prop_ro("bytes", &BackoffModel::bytes)
      .def("__len__", &BackoffModel::size)
      .def("unigram", &BackoffModel::unigram, "word"_a)
      .def("find", &BackoffModel::find, "word"_a)
      .def("word", &word, "id"_a)
      .def("query", &query, "state"_a, "word"_a)
      .def(
          "match",
          [](const BackoffModel& model, const nb::int_& state, uint32_t word) {
            return model.matched(state_of(state), word);
          },
          "state"_a, "word"_a)
      .def("look_ahead", &BackoffModel::look_ahead, "word"_a)
      .def("log_prob", &log_prob, "words"_a, "bos"_a, "eos"_a);
  nb::class_<Kenlm, BackoffModel>(m, "KenlmModel")
      .def_prop_ro("path", &Kenlm::path)
      .def_prop_ro("file_has_words", &Kenlm::file_has_words)
      .def_prop_ro("has_names", &Kenlm::has_names)
      .def_prop_ro("kind", [](const Kenlm& model) { return static_cast<int>(model.kind()); })
      .def_prop_ro("fingerprint", &Kenlm::fingerprint)
      .def("listed", &Kenlm::listed, nb::call_guard<nb::gil_scoped_release>());
  m.def("kenlm_from_file", &Kenlm::load, "path"_a, "words"_a, nb::call_guard<nb::gil_scoped_release>());
  own_model<NGram>(m, "NGram")
      .def("arpa", &arpa)
      .def(
          "compacted", [](const NGram& model, int bits) { return ctckit::compacted(model, {.quantized_bits = bits}); },
          "bits"_a, nb::call_guard<nb::gil_scoped_release>());
  own_model<Compact>(m, "CompactNGram")
      .def_prop_ro("log_prob_bits", [](const Compact& model) { return model.header().log_probs.bits; })
      .def("expanded", &ctckit::expanded, nb::call_guard<nb::gil_scoped_release>());
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
