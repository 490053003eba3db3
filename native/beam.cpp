#include "beam.hpp"

#include <algorithm>
#include <cmath>

#include "dispatch.hpp"

namespace ctckit {

namespace {

// Masses are kept between `lowest` and `highest` by powers of two: products of one frame stay far below float's largest
// number, and 2^100 fits between the best and what is dropped.
constexpr float unit = 0x1p30f, highest = 0x1p40f, lowest = 0x1p16f;
constexpr double ln2 = 0.69314718055994530942;
constexpr size_t tidy_step = 1 << 16;

}  // namespace

Beam::Beam(int width, int classes, int blank)
    : capacity_(whole_blocks(width)), blank_(blank), words_(static_cast<size_t>(capacity_) / 64 + 1) {
  const auto entries = static_cast<size_t>(capacity_), lists = static_cast<size_t>(std::min(width, classes));
  for (auto* each : {&masses_, &next_masses_}) each->assign(2 * entries + beam_block, 0);
  for (auto* each : {&label_, &next_label_, &factor_}) each->assign(entries, 0);
  for (auto* each : {&token_, &source_, &next_repeatable_}) each->assign(entries, 0);
  entries_.resize(entries);
  list_of_token_.assign(static_cast<size_t>(classes), -1);
  first_repeatable_.assign(lists, -1);
  bits_.assign(lists * words_, 0);
  no_bits_.assign(words_, 0);
}

void Beam::reset(const Context& start) {
  clear(0, capacity_);
  count_ = 1;
  masses_[0] = masses_[static_cast<size_t>(capacity_)] = top_ = unit;
  factor_[0] = 1;
  entries_[0] = {PrefixTree::root, PrefixTree::none, start, {-1, 0}, 1, 1};
  tree_.clear();
  tree_[PrefixTree::root].entry = 0;
  tidy_from_ = tidy_step;
  log_scale_ = -std::log(static_cast<double>(unit));
  indexed_ = false;
}

// --- a frame ---------------------------------------------------------------------------------------------------------

Extremes Beam::stay(const float* probs, double log_scale) {
  log_scale_ += log_scale;
  if (!indexed_) index();
  const StayInput input = {count_, capacity_, masses_.data(), label_.data(), factor_.data(), token_.data(), source_.data()};
  return beam_kernels().stay(input, probs, probs[blank_], next_masses_.data(), next_label_.data());
}

void Beam::mark(size_t list, int32_t entry) {
  bits_[list * words_ + static_cast<size_t>(entry) / 64] |= uint64_t{1} << (entry % 64);
}

// Who is whose parent, and what exists already; once for each change of the beam.
void Beam::index() {
  for (size_t list = 0; list < listed_.size(); ++list) {
    list_of_token_[static_cast<size_t>(listed_[list])] = -1;
    first_repeatable_[list] = -1;
    std::fill_n(bits_.begin() + static_cast<std::ptrdiff_t>(list * words_), words_, 0);
  }
  listed_.clear();
  const auto list_at = [&](size_t i) { return static_cast<size_t>(list_of_token_[static_cast<size_t>(token_[i])]); };
  const auto count = static_cast<size_t>(count_);
  for (size_t i = 0; i < count; ++i) {
    const int32_t above = entries_[i].parent, parent = above == PrefixTree::none ? -1 : tree_[above].entry;
    const bool repeats = parent >= 0 && token_[static_cast<size_t>(parent)] == token_[i];
    source_[i] = parent < 0 ? 2 * capacity_ : repeats ? capacity_ + parent : parent;
    int32_t& list = list_of_token_[static_cast<size_t>(token_[i])];
    if (list < 0) {
      list = static_cast<int32_t>(listed_.size());
      listed_.push_back(token_[i]);
    }
    if (parent >= 0) mark(static_cast<size_t>(list), parent);
  }
  for (size_t i = count; i-- > 0;) {
    const size_t list = list_at(i);
    next_repeatable_[i] = -1;
    if (bits_[list * words_ + i / 64] >> (i % 64) & 1) continue;
    next_repeatable_[i] = first_repeatable_[list];
    first_repeatable_[list] = static_cast<int32_t>(i);
  }
  for (size_t i = 0; i < count; ++i) mark(list_at(i), static_cast<int32_t>(i));
  indexed_ = true;
}

const uint64_t* Beam::existing(int token) const {
  const int32_t list = list_of_token_[static_cast<size_t>(token)];
  return list < 0 ? no_bits_.data() : &bits_[static_cast<size_t>(list) * words_];
}

int32_t Beam::node_of(int entry) {
  Entry& each = entries_[static_cast<size_t>(entry)];
  if (each.node == PrefixTree::none) each.node = tree_.add(each.parent, token_[static_cast<size_t>(entry)], entry);
  return each.node;
}

Beam::Arrival Beam::extension(int entry, int token, float mass) {
  const int32_t parent = node_of(entry);
  return {{tree_.child(parent, token), parent, {}, {-1, 0}, 1, 1}, token, mass, 1};
}

void Beam::replace(const std::vector<int32_t>& freed, const std::vector<Arrival>& arrivals, float top) {
  std::swap(masses_, next_masses_);
  std::swap(label_, next_label_);
  top_ = top;
  if (!freed.empty() || !arrivals.empty()) {
    const int before = count_;
    for (int32_t slot : freed)
      if (const int32_t node = entries_[static_cast<size_t>(slot)].node; node != PrefixTree::none)
        tree_[node].entry = PrefixTree::none;
    size_t taken = 0;
    for (const Arrival& each : arrivals) place(taken < freed.size() ? freed[taken++] : count_++, each);
    remove(freed, taken);
    clear(count_, before);
    indexed_ = false;
  }
  rescale();
  if (tree_.size() > tidy_from_) tidy(PrefixTree::root);
}

void Beam::place(int slot, const Arrival& arrival) {
  const auto i = static_cast<size_t>(slot);
  masses_[i] = label_[i] = arrival.mass;
  masses_[static_cast<size_t>(capacity_) + i] = 0;
  factor_[i] = arrival.factor;
  token_[i] = arrival.token;
  entries_[i] = arrival.entry;
  if (arrival.entry.node != PrefixTree::none) tree_[arrival.entry.node].entry = slot;
}

// The last entries move into the slots (ascending) that are left empty, from number `from` on.
void Beam::remove(const std::vector<int32_t>& slots, size_t from) {
  for (size_t left = slots.size(); left > from; --left)
    if (slots[left - 1] != --count_) move(count_, slots[left - 1]);
}

void Beam::move(int from, int to) {
  const auto a = static_cast<size_t>(from), b = static_cast<size_t>(to), blanks = static_cast<size_t>(capacity_);
  masses_[b] = masses_[a];
  masses_[blanks + b] = masses_[blanks + a];
  label_[b] = label_[a];
  factor_[b] = factor_[a];
  token_[b] = token_[a];
  entries_[b] = entries_[a];
  if (entries_[b].node != PrefixTree::none) tree_[entries_[b].node].entry = to;
}

// Empty slots weigh nothing and get nothing.
void Beam::clear(int first, int last) {
  for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
    for (auto* each : {&masses_, &next_masses_}) (*each)[i] = (*each)[static_cast<size_t>(capacity_) + i] = 0;
    label_[i] = next_label_[i] = factor_[i] = 0;
    token_[i] = blank_;
    source_[i] = 2 * capacity_;
  }
}

void Beam::rescale() {
  if (count_ == 0 || (top_ >= lowest && top_ < highest)) return;
  const int shift = std::ilogb(unit) - std::ilogb(top_);
  const float scale = std::ldexp(1.0f, shift);
  for (float& mass : masses_) mass *= scale;
  for (float& mass : label_) mass *= scale;
  top_ *= scale;
  log_scale_ -= shift * ln2;
}

// --- texts -----------------------------------------------------------------------------------------------------------

std::vector<int32_t> Beam::tokens(int entry) const {
  std::vector<int32_t> result;
  const Entry& each = entries_[static_cast<size_t>(entry)];
  if (each.node == PrefixTree::root) return result;
  tree_.append_tokens(PrefixTree::root, each.parent, result);
  result.push_back(token_[static_cast<size_t>(entry)]);
  return result;
}

std::vector<int32_t> Beam::stable() {
  std::vector<int32_t> result;
  if (count_ == 0) return result;
  int32_t common = node_of(0);
  for (int i = 1; i < count_; ++i) {
    const Entry& each = entries_[static_cast<size_t>(i)];
    common = tree_.common(common, each.node == PrefixTree::none ? each.parent : each.node);
  }
  tree_.append_tokens(PrefixTree::root, common, result);
  return result;
}

void Beam::forget(size_t count) {
  if (count_ == 0) return;
  const int32_t depth = tree_[PrefixTree::root].depth + static_cast<int32_t>(count);
  const int32_t top = tree_.ancestor(node_of(0), depth);
  for (int i = 0; i < count_; ++i)
    if (Entry& each = entries_[static_cast<size_t>(i)]; each.node == top) each.parent = PrefixTree::none;
  tidy(top);
}

void Beam::keep_only(std::span<const int32_t> prefix) {
  std::vector<int32_t> others;
  for (int i = 0; i < count_; ++i) {
    const std::vector<int32_t> text = tokens(i);
    if (text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin())) continue;
    others.push_back(i);
    if (const int32_t node = entries_[static_cast<size_t>(i)].node; node != PrefixTree::none)
      tree_[node].entry = PrefixTree::none;
  }
  const int before = count_;
  remove(others, 0);
  clear(count_, before);
  top_ = *std::max_element(masses_.begin(), masses_.begin() + std::max(count_, 1));
  rescale();
  indexed_ = false;
}

// Forgets the nodes that no entry needs; `top` becomes the root.
void Beam::tidy(int32_t top) {
  std::vector<int32_t*> used;
  for (int i = 0; i < count_; ++i) {
    Entry& each = entries_[static_cast<size_t>(i)];
    for (int32_t* node : {&each.node, &each.parent})
      if (*node != PrefixTree::none) used.push_back(node);
  }
  tree_.keep(top, used);
  tidy_from_ = 2 * tree_.size() + tidy_step;
  indexed_ = false;
}

}  // namespace ctckit
