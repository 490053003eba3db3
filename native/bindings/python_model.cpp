#include "bindings/python_model.hpp"

#include <nanobind/ndarray.h>

#include <array>
#include <bit>
#include <stdexcept>
#include <utility>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace nb = nanobind;

namespace ctckit {

namespace {

// The search treats subnormal numbers as zeros; Python must not.
class PythonFloats {
 public:
#if defined(__SSE2__)
  PythonFloats() : before_(_mm_getcsr()) { _mm_setcsr(before_ & ~0x8040u); }
  ~PythonFloats() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#else
  PythonFloats() {}
#endif
  PythonFloats(const PythonFloats&) = delete;
  PythonFloats& operator=(const PythonFloats&) = delete;
};

// In Python, states are numbers of 64 bits.
uint64_t number_of(const ModelState& state) { return state.halves()[0]; }
ModelState state_of(uint64_t number) { return std::bit_cast<ModelState>(std::array<uint64_t, 2>{number, 0}); }

template <class T>
T attribute(const nb::object& object, const char* name) {
  return nb::cast<T>(object.attr(name));
}

}  // namespace

PythonObject::~PythonObject() {
  const nb::gil_scoped_acquire held;
  object_.reset();
}

PythonModel::PythonModel(nb::object model)
    : model_(std::move(model)),
      unknown_(attribute<uint32_t>(*model_, "unknown")),
      end_(attribute<uint32_t>(*model_, "end")),
      start_(state_of(attribute<uint64_t>(*model_, "start"))) {
  using Array = nb::ndarray<const double, nb::device::cpu, nb::ndim<1>, nb::c_contig>;
  const auto unigrams = attribute<Array>(*model_, "unigrams");
  unigrams_.assign(unigrams.data(), unigrams.data() + unigrams.shape(0));
}

LanguageModel::Scored PythonModel::score(const ModelState&, uint32_t) const {
  throw std::logic_error("a language model in Python is asked in sessions.");
}

std::shared_ptr<Session> PythonModel::session() const {
  const nb::gil_scoped_acquire held;
  return std::make_shared<PythonSession>(model_->attr("session")());
}

PythonSession::PythonSession(nb::object session)
    : session_(std::move(session)),
      unknown_(attribute<uint32_t>(*session_, "unknown")),
      end_(attribute<uint32_t>(*session_, "end")),
      start_(state_of(attribute<uint64_t>(*session_, "start"))) {}

std::vector<LanguageModel::Scored> PythonSession::ask(std::span<const Query> queries) const {
  const nb::gil_scoped_acquire held;
  const PythonFloats floats;
  nb::list states, entries;
  for (const Query& each : queries) {
    states.append(number_of(each.state));
    entries.append(each.word);
  }
  const nb::object answers = session_->attr("ask")(states, entries);
  std::vector<Scored> result;
  result.reserve(queries.size());
  for (nb::handle each : answers) result.push_back({nb::cast<double>(each[0]), state_of(nb::cast<uint64_t>(each[1]))});
  if (result.size() != queries.size()) throw std::logic_error("a session gives one answer to each query.");
  return result;
}

void PythonSession::keep_states(std::span<const ModelState> states) const {
  const nb::gil_scoped_acquire held;
  nb::list numbers;
  for (const ModelState& each : states) numbers.append(number_of(each));
  session_->attr("keep_only")(numbers);
}

}  // namespace ctckit
