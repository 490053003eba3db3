#include "align/token_graph.hpp"

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "simd/dispatch.hpp"

namespace ctckit {

namespace {

constexpr int32_t nothing = -1, wildcard = -2;  // entries of classes_ that are no class
constexpr int gathers_worth = 3;                // reading one separate class takes as long as this many adjacent ones

}  // namespace

template <class In, class Real>
AlignGraph<In, Real>::AlignGraph(const AlignItem<In>& item)
    : item_(item),
      blocks_(static_cast<int>(item.count / align_block) + 1),
      first_final_(std::max<int64_t>(item.count - 1, 0)),
      skips_(static_cast<size_t>(blocks_), 0) {
  choose_places();
  if (weighted()) {
    set_transitions();
    return;
  }
  for (int64_t i = 1; i < item.count; ++i)
    if (item.tokens[i] != item.tokens[i - 1])
      skips_[static_cast<size_t>(i / align_block)] |= uint64_t{1} << (i % align_block);
}

// Only classes of the target have a place in the table, in ascending order, as a frame is read. If the target uses many
// classes, all classes have a place, so that a frame is read contiguously.
template <class In, class Real>
void AlignGraph<In, Real>::choose_places() {
  std::vector<int32_t> place_of(static_cast<size_t>(item_.classes) + 1, 0);
  for (int64_t i = 0; i < item_.count; ++i) place_of[static_cast<size_t>(item_.tokens[i])] = 1;
  const int64_t used = std::count(place_of.begin(), place_of.end(), 1);
  const bool all = used >= align_table_size && gathers_worth * used >= item_.classes;
  classes_ = {nothing};
  for (int32_t c = 0; c <= item_.classes; ++c) {
    int32_t& place = place_of[static_cast<size_t>(c)];
    if (place == 0 && !all) continue;
    place = static_cast<int32_t>(classes_.size());
    classes_.push_back(c == item_.classes ? wildcard : c);
  }
  places_.assign(static_cast<size_t>(blocks_) * align_block, 0);
  for (int64_t i = 0; i < item_.count; ++i)
    places_[static_cast<size_t>(i)] = place_of[static_cast<size_t>(item_.tokens[i])];
  wide_ = weighted() || std::is_same_v<Real, double> || places() > align_table_size || !align_kernel().tables;
  table_.assign(static_cast<size_t>(wide_ ? places() : align_table_size) * align_frames, no_path<Real>);
  for (size_t k = 0; k < classes_.size(); ++k)
    if (classes_[k] == wildcard)
      std::fill_n(table_.begin() + static_cast<int64_t>(k) * align_frames, align_frames, Real{0});
}

template <class In, class Real>
void AlignGraph<In, Real>::set_transitions() {
  const auto width = static_cast<size_t>(blocks_) * align_block;
  for (int kind = 0; kind < inner_transitions; ++kind) {
    transitions_[kind].assign(width, no_path<Real>);
    const bool into_label = kind <= label_hop;
    const int64_t count = item_.count + (into_label ? 0 : 1);
    for (int64_t i = 0; i < count; ++i)
      transitions_[kind][static_cast<size_t>(i)] = static_cast<Real>(item_.weight(weight_of[kind], 2 * i + into_label));
  }
  const auto passes = [&](TransitionKind kind) {
    return std::any_of(transitions_[kind].begin(), transitions_[kind].end(),
                       [](Real weight) { return weight > no_path<Real>; });
  };
  reach_ = passes(label_hop) || passes(blank_hop) ? 2 : 1;
  const int64_t states = 2 * item_.count + 1;
  int64_t first = 0;
  while (first < states - 1 && item_.weight(final_weight, first) == no_path<double>) ++first;
  first_final_ = first / 2;
}

template <class In, class Real>
void AlignGraph<In, Real>::start(Real* label, Real* blank) const {
  const int64_t count = weighted() ? item_.count + 1 : 1;
  for (int64_t i = 0; i < count; ++i) {
    blank[i] = static_cast<Real>(item_.weight(start_weight, 2 * i) + item_.emission(0, i, false));
    if (i < item_.count)
      label[i] = static_cast<Real>(item_.weight(start_weight, 2 * i + 1) + item_.emission(0, i, true));
  }
}

template <class In, class Real>
AlignUses AlignGraph<In, Real>::uses(int first_block, int blocks) const {
  const auto from = places_.begin() + static_cast<int64_t>(first_block) * align_block;
  const int64_t labels = static_cast<int64_t>(blocks) * align_block;
  AlignUses result;
  if (labels < places() / 2) {
    result.places.assign(from, from + labels);
    std::sort(result.places.begin(), result.places.end());
    result.places.erase(std::unique(result.places.begin(), result.places.end()), result.places.end());
  } else {
    result.places.resize(classes_.size());
    std::iota(result.places.begin(), result.places.end(), 0);
  }
  std::erase_if(result.places, [&](int32_t k) { return classes_[static_cast<size_t>(k)] < 0; });
  for (const int32_t k : result.places) result.classes.push_back(classes_[static_cast<size_t>(k)]);
  return result;
}

template <class In, class Real>
void AlignGraph<In, Real>::fill(const In* const* frames, const AlignUses& uses) {
  const auto count = uses.classes.size();
  if (!wide_) {
    for (int f = 0; f < align_frames; ++f)
      for (size_t k = 0; k < count; ++k)
        table_[static_cast<size_t>(f * align_table_size + uses.places[k])] =
            static_cast<Real>(frames[f][uses.classes[k]]);
    return;
  }
  AlignFill<In> fill{{}, uses.classes.data(), uses.places.data(), static_cast<int>(count), nullptr};
  std::copy_n(frames, align_frames, fill.frames);
  if constexpr (std::is_same_v<In, Real>) {
    fill.table = table_.data();
    align_kernel().loops(In{}).fill(fill);
  } else {
    narrow_.resize(table_.size());
    fill.table = narrow_.data();
    align_kernel().loops(In{}).fill(fill);
    for (const int32_t k : uses.places)
      std::copy_n(narrow_.begin() + static_cast<int64_t>(k) * align_frames, align_frames,
                  table_.begin() + static_cast<int64_t>(k) * align_frames);
  }
}

template <class In, class Real>
void AlignGraph<In, Real>::prepare(AlignPass<Real>& pass, int64_t first, int frames, int window,
                                   const AlignUses& uses) {
  const In* inputs[align_frames];
  for (int f = 0; f < align_frames; ++f) {
    inputs[f] = item_.frame(first + std::min(f, frames - 1));
    blanks_[f] = static_cast<Real>(inputs[f][item_.blank]);
  }
  fill(inputs, uses);
  const int64_t position = static_cast<int64_t>(window) * align_block;
  pass.places = places_.data() + position;
  pass.skips = skips_.data() + window;
  for (int kind = 0; kind < inner_transitions; ++kind)
    pass.transitions[kind] = weighted() ? transitions_[kind].data() + position : nullptr;
  pass.table = table_.data();
  pass.wide = wide_;
  pass.labels = places();
  pass.blank_emissions = blanks_;
  pass.frames = frames;
}

template <class In, class Real>
double AlignGraph<In, Real>::greatest(int64_t t, const AlignUses& uses) const {
  const In* const frame = item_.frame(t);
  const In label =
      align_kernel().loops(In{}).greatest(frame, uses.classes.data(), static_cast<int>(uses.classes.size()));
  return static_cast<double>(std::max(label, frame[item_.blank]));
}

template class AlignGraph<float, float>;
template class AlignGraph<float, double>;
template class AlignGraph<double, double>;

}  // namespace ctckit
