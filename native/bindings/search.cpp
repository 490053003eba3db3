// Bindings of search/, for ctckit.kernels.search.native.
#include "bindings/bindings.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "bindings/python_model.hpp"
#include "core/exclusive.hpp"
#include "lm/model.hpp"
#include "search/decoder.hpp"
#include "search/refinement.hpp"
#include "search/state.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class T, class... Options>
using Array = nb::ndarray<T, nb::device::cpu, Options...>;
template <class T>
using List = Array<const T, nb::ndim<1>, nb::c_contig>;
using FrameArray = Array<const float, nb::ndim<2>>;
template <class T>
using Result = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

template <class T>
std::vector<T> copied(const List<T>& list) {
  return {list.data(), list.data() + list.shape(0)};
}

ctckit::Ragged ragged(nb::handle lists) {
  return {copied(nb::cast<List<int32_t>>(lists.attr("values"))),
          copied(nb::cast<List<int64_t>>(lists.attr("offsets")))};
}

std::shared_ptr<const ctckit::LanguageModel> model(nb::handle value) {
  using Backoff = ctckit::BackoffModel;
  if (value.is_none()) return nullptr;
  if (nb::isinstance<Backoff>(value)) return nb::cast<std::shared_ptr<Backoff>>(value);
  return std::make_shared<const ctckit::PythonModel>(nb::borrow(value));
}

// Converts the SearchPlan of kernels/search/plan.py.
ctckit::SearchPlan plan_of(nb::handle plan) {
  ctckit::SearchPlan result;
  const auto number = [&](const char* name) { return nb::cast<double>(plan.attr(name)); };
  const auto integer = [&](const char* name) { return nb::cast<int>(plan.attr(name)); };
  const auto truth = [&](const char* name) { return nb::cast<bool>(plan.attr(name)); };
  result.classes = integer("classes");
  result.blank = integer("blank");
  result.beam_width = integer("beam_width");
  result.token_threshold = number("token_threshold");
  result.beam_threshold = number("beam_threshold");
  result.token_bonus = number("token_bonus");
  result.word_bonus = number("word_bonus");
  result.has_words = truth("has_words");
  result.lm_boundary = truth("lm_boundary");
  result.letters = ragged(plan.attr("letters"));
  result.token_lm = model(plan.attr("token_lm"));
  result.token_lm_weight = number("token_lm_weight");
  result.token_lm_ids = ragged(plan.attr("token_lm_ids"));
  result.token_lm_space = integer("token_lm_space");
  result.word_lm = model(plan.attr("word_lm"));
  result.word_lm_weight = number("word_lm_weight");
  result.has_lexicon = truth("has_lexicon");
  result.words = ragged(plan.attr("words"));
  result.word_names = ragged(plan.attr("word_names"));
  result.class_names = ragged(plan.attr("class_names"));
  result.word_ids = copied(nb::cast<List<int32_t>>(plan.attr("word_lm_ids")));
  result.oov_words = nb::cast<size_t>(plan.attr("oov_words"));
  result.oov_charge = number("oov_charge");
  result.hotwords = ragged(plan.attr("hotwords"));
  result.hotword_weights = copied(nb::cast<List<float>>(plan.attr("hotword_weights")));
  return result;
}

template <class Logit>
ctckit::Rows<Logit> rows_of(const Array<const Logit, nb::ndim<2>>& input, int blank) {
  return {input.data(), input.stride(0), static_cast<int64_t>(input.shape(0)), static_cast<int>(input.shape(1)), blank};
}

// A new NumPy array with a copy of the values, converted to T.
template <class T, class From>
Result<T> array_of(const std::vector<From>& values) {
  auto* const memory = new T[values.size() + 1];  // owned by the capsule
  nb::capsule owner(memory, [](void* each) noexcept { delete[] static_cast<T*>(each); });
  std::copy(values.begin(), values.end(), memory);
  return {memory, {values.size()}, owner};
}

nb::tuple parts_tuple(const ctckit::Parts& parts) {
  return nb::make_tuple(parts.token_lm_log_prob, parts.word_lm_log_prob, parts.words.size(), parts.oov_letters,
                        parts.hotwords, nb::tuple(nb::cast(parts.words)));
}

nb::tuple rescored_tuple(const ctckit::Rescored& rescored) {
  return nb::make_tuple(rescored.log_prob, array_of<int64_t>(rescored.starts), array_of<int64_t>(rescored.ends),
                        array_of<double>(rescored.token_log_probs), array_of<double>(rescored.confidences));
}

nb::tuple decoded_tuple(const ctckit::Decoded& text) {
  return nb::make_tuple(array_of<int32_t>(text.tokens), rescored_tuple(text.rescored), parts_tuple(text.parts));
}

nb::list decoded_list(const std::vector<ctckit::Decoded>& texts) {
  nb::list result;
  for (const ctckit::Decoded& each : texts) result.append(decoded_tuple(each));
  return result;
}

using Batch = Array<const float, nb::ndim<3>>;

ctckit::Posteriors posteriors_of(const Batch& log_probs, const List<int64_t>& lengths) {
  return {log_probs.data(), log_probs.stride(0), log_probs.stride(1), static_cast<int64_t>(log_probs.shape(0)),
          lengths.data()};
}

// Rethrows an exception, one from Python with a note that names the item.
[[noreturn]] void rethrow(const ctckit::ItemError& error) {
  try {
    std::rethrow_exception(error.cause);
  } catch (nb::python_error& raised) {
    if (nb::hasattr(raised.value(), "add_note"))
      raised.value().attr("add_note")("In item " + std::to_string(error.item) + " of log_probs.");
    throw;
  }
}

nb::list decode(const ctckit::Decoder& decoder, const Batch& log_probs, const List<int64_t>& lengths, int64_t n_best) {
  const ctckit::Posteriors posteriors = posteriors_of(log_probs, lengths);
  std::vector<std::vector<ctckit::Decoded>> items;
  try {
    const nb::gil_scoped_release released;
    items = decoder.decode(posteriors, static_cast<size_t>(n_best));
  } catch (const ctckit::ItemError& error) {
    rethrow(error);
  }
  nb::list results;
  for (const auto& item : items) results.append(decoded_list(item));
  return results;
}

using OwnSearch = ctckit::Exclusive<ctckit::Search>;

// Converts the Border of kernels/search/plan.py.
ctckit::Border border_of(nb::handle border) {
  ctckit::Border result;
  result.tokens = copied(nb::cast<List<int32_t>>(border.attr("tokens")));
  result.column = copied(nb::cast<List<double>>(border.attr("column")));
  result.fixed = nb::cast<size_t>(border.attr("fixed"));
  if (result.fixed > result.tokens.size() || result.column.size() != 2 * result.tokens.size() + 1)
    throw nb::value_error("a border has 2 N + 1 states for N tokens, and at most N of these are fixed");
  return result;
}

// The log-probabilities of a stream: late frames as they came, and blocks of early ones, (classes, values) each.
class FrameInput {
 public:
  FrameInput(const FrameArray& late, const nb::list& early, int blank) : late_(rows_of<float>(late, blank)) {
    for (const nb::handle each : early) {
      const auto pair = nb::cast<ClassesAndValues>(each);
      const std::span<const int32_t> classes{pair.first.data(), pair.first.shape(0)};
      if (pair.second.shape(1) != classes.size() + 1)
        throw nb::value_error("a block has a column for each of its classes, and one for all others");
      if (std::ranges::any_of(classes, [&](int32_t each) { return each < 0 || each >= late_.classes; }))
        throw nb::value_error("a block has classes from 0 to C - 1");
      const int64_t first = blocks_.empty() ? 0 : blocks_.back().first + blocks_.back().count;
      blocks_.push_back({first, static_cast<int64_t>(pair.second.shape(0)), classes, pair.second.data()});
      kept_.push_back(pair);
    }
  }

  ctckit::Frames frames() const { return {late_, blocks_}; }

 private:
  using ClassesAndValues = std::pair<List<int32_t>, Array<const float, nb::ndim<2>, nb::c_contig>>;

  ctckit::Rows<float> late_;
  std::vector<ctckit::Block> blocks_;
  std::vector<ClassesAndValues> kept_;  // their memory
};

template <class AnyFrames>
nb::tuple cut_of(const AnyFrames& frames, const List<int32_t>& tokens, nb::handle before, int64_t frame, size_t closed,
                 size_t agreed) {
  const ctckit::Border border = border_of(before);
  if (frame < 0 || frame > frames.count || closed > agreed || agreed > tokens.shape(0))
    throw nb::value_error("a cut needs 0 ≤ frame ≤ T and closed ≤ agreed ≤ N");
  ctckit::Border result;
  {
    const nb::gil_scoped_release released;
    result = ctckit::cut(border, frames, {tokens.data(), tokens.shape(0)}, frame, closed, agreed);
  }
  return nb::make_tuple(array_of<int32_t>(result.tokens), array_of<double>(result.column), result.fixed,
                        result.log_mass);
}

template <class Logit>
nb::tuple cut(const Array<const Logit, nb::ndim<2>>& input, const List<int32_t>& tokens, int blank, nb::handle before,
              int64_t frame, size_t closed, size_t agreed) {
  return cut_of(rows_of(input, blank), tokens, before, frame, closed, agreed);
}

nb::tuple cut_frames(const FrameArray& late, const nb::list& early, const List<int32_t>& tokens, int blank,
                     nb::handle before, int64_t frame, size_t closed, size_t agreed) {
  const FrameInput input(late, early, blank);
  return cut_of(input.frames(), tokens, before, frame, closed, agreed);
}

template <class Logit>
double log_prob_after(const Array<const Logit, nb::ndim<2>>& input, const List<int32_t>& tokens, int blank,
                      nb::handle before) {
  const ctckit::Border border = border_of(before);
  const ctckit::Rows<Logit> rows = rows_of(input, blank);
  const nb::gil_scoped_release released;
  return ctckit::log_prob_after(border, rows, {tokens.data(), tokens.shape(0)});
}

nb::list ranked(const ctckit::Decoder& decoder, OwnSearch& own, const FrameArray& late, const nb::list& early,
                const List<int32_t>& past, int64_t first, int64_t n_best, nb::handle border) {
  const FrameInput input(late, early, decoder.scorers()->plan().blank);
  ctckit::Past before{{past.data(), past.shape(0)}, static_cast<size_t>(first)};
  before.border = border_of(border);
  std::vector<ctckit::Decoded> texts;
  own.use([&](ctckit::Search& search) {
    const nb::gil_scoped_release released;
    texts = ctckit::ranked(search, *search.scorers(), input.frames(), before, static_cast<size_t>(n_best));
  });
  return decoded_list(texts);
}

// `sessions`: those of the search that was saved, for language models in Python; else None.
void restore(OwnSearch* self, const ctckit::Decoder& decoder, const nb::bytes& state, nb::object token_session,
             nb::object word_session) {
  const auto session = [](nb::object given) -> std::shared_ptr<ctckit::Session> {
    return given.is_none() ? nullptr : std::make_shared<ctckit::PythonSession>(std::move(given));
  };
  auto scorers = decoder.scorers();
  if (!token_session.is_none() || !word_session.is_none())
    scorers = std::make_shared<const ctckit::Scorers>(*scorers, session(token_session), session(word_session));
  new (self) OwnSearch(scorers, ctckit::state_from_bytes({state.c_str(), state.size()}, *scorers));
}

nb::object session_object(const std::shared_ptr<ctckit::Session>& session) {
  const auto* const found = dynamic_cast<const ctckit::PythonSession*>(session.get());
  return found ? found->object() : nb::none();
}

nb::tuple sessions(OwnSearch& own) {
  return own.use([](ctckit::Search& search) {
    search.tidy_sessions();
    return nb::make_tuple(session_object(search.scorers()->token_session()),
                          session_object(search.scorers()->word_session()));
  });
}

nb::bytes state(OwnSearch& own) {
  const std::string bytes = own.use([](ctckit::Search& search) { return ctckit::state_bytes(search); });
  return nb::bytes(bytes.data(), bytes.size());
}

void push(OwnSearch& own, const FrameArray& input) {
  own.use([&](ctckit::Search& search) {
    const nb::gil_scoped_release released;
    search.push(input.data(), input.stride(0), static_cast<int64_t>(input.shape(0)));
  });
}

nb::list found_list(const std::vector<ctckit::Found>& texts) {
  nb::list result;
  for (const ctckit::Found& found : texts)
    result.append(nb::make_tuple(nb::tuple(nb::cast(found.tokens)), found.score));
  return result;
}

nb::tuple refined(const ctckit::Decoder& decoder, const FrameArray& late, const nb::list& early,
                  const List<int32_t>& tokens, const List<int32_t>& past, int64_t first, int64_t last,
                  nb::handle border) {
  const FrameInput input(late, early, decoder.scorers()->plan().blank);
  const ctckit::Past before{
      {past.data(), past.shape(0)}, static_cast<size_t>(first), static_cast<size_t>(last), border_of(border)};
  ctckit::Decoded text;
  {
    const nb::gil_scoped_release released;
    text = ctckit::refined(copied(tokens), *ctckit::Scorers::for_one_search(decoder.scorers()), input.frames(), before);
  }
  return decoded_tuple(text);
}

nb::tuple rescored(const FrameArray& late, const nb::list& early, List<int32_t> tokens, int blank, nb::handle before) {
  const FrameInput input(late, early, blank);
  const ctckit::Border border = before.is_none() ? ctckit::Border{} : border_of(before);
  ctckit::Rescored rescored;
  {
    const nb::gil_scoped_release released;
    rescored = ctckit::rescore(input.frames(), {tokens.data(), tokens.shape(0)}, border);
  }
  return rescored_tuple(rescored);
}

nb::list find_refinements(const FrameArray& input, List<int32_t> tokens, int blank) {
  const ctckit::Frames frames = rows_of<float>(input, blank);
  const std::span<const int32_t> text{tokens.data(), tokens.shape(0)};
  std::vector<ctckit::Refinement> refinements;
  {
    const nb::gil_scoped_release released;
    refinements = ctckit::find_refinements(frames, text, ctckit::rescore(frames, text));
  }
  nb::list result;
  for (const ctckit::Refinement& each : refinements) result.append(nb::make_tuple(each.position, each.token));
  return result;
}

nb::tuple aligned(const FrameArray& late, const nb::list& early, List<int32_t> tokens, int blank, nb::handle before) {
  const FrameInput input(late, early, blank);
  const std::optional<ctckit::Border> border = before.is_none() ? std::nullopt : std::optional(border_of(before));
  ctckit::Alignment alignment;
  {
    const nb::gil_scoped_release released;
    const std::span<const int32_t> text{tokens.data(), tokens.shape(0)};
    const bool possible = !border || !std::isinf(ctckit::log_prob_after(*border, input.frames(), text));
    alignment = possible ? ctckit::align(input.frames(), text) : ctckit::no_alignment(text.size());
  }
  return nb::make_tuple(array_of<int64_t>(alignment.starts), array_of<int64_t>(alignment.ends));
}

Result<double> confidences(const FrameArray& late, const nb::list& early, List<int32_t> tokens, List<int64_t> starts,
                           List<int64_t> ends, int blank) {
  const FrameInput input(late, early, blank);
  const size_t count = tokens.shape(0);
  std::vector<double> result(count);
  {
    const nb::gil_scoped_release released;
    ctckit::confidences_of_many(input.frames(), {tokens.data(), count}, {{starts.data(), count}, {ends.data(), count}},
                                result);
  }
  return array_of<double>(result);
}

template <class Logit>
void bind_borders(nb::module_& m) {
  m.def("cut", &cut<Logit>, "log_probs"_a.noconvert(), "tokens"_a.noconvert(), "blank"_a, "border"_a, "frame"_a,
        "closed"_a, "agreed"_a);
  m.def("log_prob_after", &log_prob_after<Logit>, "log_probs"_a.noconvert(), "tokens"_a.noconvert(), "blank"_a,
        "border"_a);
}

}  // namespace

void bind_search(nb::module_& m) {
  nb::exception<ctckit::StateError>(m, "StateError", PyExc_ValueError);
  nb::class_<ctckit::Decoder>(m, "Decoder")
      .def(
          "__init__", [](ctckit::Decoder* self, nb::handle plan) { new (self) ctckit::Decoder(plan_of(plan)); },
          "plan"_a)
      .def(
          "__init__",
          [](ctckit::Decoder* self, const ctckit::Decoder& other, nb::handle hotwords, const List<float>& weights) {
            new (self) ctckit::Decoder(other, ragged(hotwords), copied(weights));
          },
          "other"_a, "hotwords"_a, "hotword_weights"_a)
      .def("decode", &decode, "log_probs"_a.noconvert(), "lengths"_a.noconvert(), "n_best"_a)
      .def(
          "parts",
          [](const ctckit::Decoder& self, List<int32_t> tokens) {
            const auto scorers = ctckit::Scorers::for_one_search(self.scorers());
            return parts_tuple(scorers->parts({tokens.data(), tokens.shape(0)}));
          },
          "tokens"_a.noconvert())
      .def(
          "likeliest_word",
          [](const ctckit::Decoder& self, List<int32_t> letters) {
            return self.scorers()->likeliest_word({letters.data(), letters.shape(0)});
          },
          "letters"_a.noconvert())
      .def("ranked", &ranked, "search"_a, "log_probs"_a.noconvert(), "early"_a, "past"_a.noconvert(), "first"_a,
           "n_best"_a, "border"_a)
      .def("refined", &refined, "log_probs"_a.noconvert(), "early"_a, "tokens"_a.noconvert(), "past"_a.noconvert(),
           "first"_a, "last"_a, "border"_a);
  nb::class_<OwnSearch>(m, "Search")
      .def(
          "__init__", [](OwnSearch* self, const ctckit::Decoder& decoder) { new (self) OwnSearch(decoder.scorers()); },
          "decoder"_a)
      .def("__init__", &restore, "decoder"_a, "state"_a, "token_session"_a.none(), "word_session"_a.none())
      .def("state", &state)
      .def_prop_ro("sessions", &sessions)
      .def("push", &push, "log_probs"_a.noconvert())
      .def(
          "best",
          [](OwnSearch& own, int64_t n, bool ended) {
            return own.use(
                [&](ctckit::Search& search) { return found_list(search.best(static_cast<size_t>(n), ended)); });
          },
          "n"_a, "ended"_a)
      .def("stable",
           [](OwnSearch& own) {
             return own.use([](ctckit::Search& search) { return nb::tuple(nb::cast(search.stable())); });
           })
      .def(
          "recent",
          [](OwnSearch& own, size_t count) {
            return own.use([&](ctckit::Search& search) { return array_of<int32_t>(search.recent(count)); });
          },
          "count"_a)
      .def(
          "forget",
          [](OwnSearch& own, int64_t count) {
            own.use([&](ctckit::Search& search) { search.forget(static_cast<size_t>(count)); });
          },
          "count"_a)
      .def(
          "keep_only",
          [](OwnSearch& own, const std::vector<int32_t>& prefix, size_t closed, int64_t frames) {
            if (closed > prefix.size()) throw nb::value_error("closed tokens are those of the prefix");
            own.use([&](ctckit::Search& search) { search.keep_only(prefix, closed, frames); });
          },
          "prefix"_a, "closed"_a, "frames"_a)
      .def_prop_ro("nodes",
                   [](OwnSearch& own) { return own.use([](ctckit::Search& search) { return search.nodes(); }); });
  m.def(
      "plausible",
      [](const Batch& log_probs, const List<int64_t>& lengths, float most) {
        return ctckit::plausible(posteriors_of(log_probs, lengths), static_cast<int>(log_probs.shape(2)), most);
      },
      "log_probs"_a.noconvert(), "lengths"_a.noconvert(), "most"_a);
  m.def("find_refinements", &find_refinements, "log_probs"_a.noconvert(), "tokens"_a.noconvert(), "blank"_a);
  m.def("rescore", &rescored, "log_probs"_a.noconvert(), "early"_a, "tokens"_a.noconvert(), "blank"_a,
        "border"_a.none());
  bind_borders<float>(m);
  bind_borders<double>(m);
  m.def("align_text", &aligned, "log_probs"_a.noconvert(), "early"_a, "tokens"_a.noconvert(), "blank"_a,
        "border"_a.none());
  m.def("cut_frames", &cut_frames, "log_probs"_a.noconvert(), "early"_a, "tokens"_a.noconvert(), "blank"_a, "border"_a,
        "frame"_a, "closed"_a, "agreed"_a);
  m.def("confidences", &confidences, "log_probs"_a.noconvert(), "early"_a, "tokens"_a.noconvert(),
        "starts"_a.noconvert(), "ends"_a.noconvert(), "blank"_a);
}
