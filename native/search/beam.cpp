#include "search/beam.hpp"

#include <algorithm>
#include <cmath>

#include "loss/item.hpp"
#include "simd/dispatch.hpp"

namespace ctckit {

namespace {

// Powers of two keep the largest mass between `lowest` and `highest`: products of one frame stay far below float's
// largest number, and dropped masses are at least 2^100 times smaller than the largest.
constexpr float unit = 0x1p30f;
constexpr double ln2 = 0.69314718055994530942;
constexpr size_t tidy_step = 1 << 12;

}  // namespace

Beam::Beam(int width, int classes, int blank)
    : capacity_(whole_blocks(width)), blank_(blank), words_(static_cast<size_t>(capacity_) / 64 + 1) {
  const auto entries = static_cast<size_t>(capacity_), lists = static_cast<size_t>(std::min(width, classes));
  for (auto* each : {&masses_, &next_masses_}) each->assign(2 * entries + beam_block, 0);
  for (auto* each : {&label_, &next_label_, &factor_, &repeated_}) each->assign(entries, 0);
  for (auto* each : {&token_, &source_, &node_, &parent_}) each->assign(entries, 0);
  entries_.resize(entries);
  list_of_token_.assign(static_cast<size_t>(classes), -1);
  bits_.assign(lists * words_, 0);
  no_bits_.assign(words_, 0);
  unrepeatable_.assign(words_, 0);
}

void Beam::reset(const Context& start) {
  clear(0, capacity_);
  count_ = 1;
  masses_[0] = masses_[static_cast<size_t>(capacity_)] = top_ = unit;
  factor_[0] = 1;
  node_[0] = PrefixTree::root;
  parent_[0] = PrefixTree::none;
  entries_[0] = {start};
  tree_.clear();
  tree_[PrefixTree::root].entry = 0;
  tidy_from_ = tidy_step;
  log_scale_ = -std::log(static_cast<double>(unit));
  indexed_ = false;
}

Beam::State Beam::state() const {
  State result = {log_scale_, tree_[PrefixTree::root].depth, {}, {}};
  for (size_t i = 0; i < static_cast<size_t>(count_); ++i)
    result.texts.push_back({{node_[i], parent_[i], token_[i], masses_[i], factor_[i]},
                            blank_part(static_cast<int>(i)),
                            label_[i],
                            entries_[i]});
  for (int32_t node = 1; node < static_cast<int32_t>(tree_.size()); ++node)
    result.prefixes.push_back({tree_[node].parent, tree_[node].token});
  return result;
}

void Beam::restore(const State& state) {
  clear(0, capacity_);
  count_ = static_cast<int>(state.texts.size());
  log_scale_ = state.log_scale;
  tree_.clear();
  tree_[PrefixTree::root].depth = state.forgotten;
  tree_[PrefixTree::root].entry = PrefixTree::none;
  for (const Link& each : state.prefixes) tree_.add(each.parent, each.token, PrefixTree::none);
  tidy_from_ = 2 * tree_.size() + tidy_step;
  top_ = 0;
  for (size_t i = 0; i < state.texts.size(); ++i) {
    const Text& text = state.texts[i];
    place(static_cast<int>(i), text.placed);
    masses_[static_cast<size_t>(capacity_) + i] = text.blank_part;
    label_[i] = text.label;
    entries_[i] = text.scored;
    top_ = std::max(top_, text.placed.mass);
  }
  indexed_ = false;
}

// --- a frame ---------------------------------------------------------------------------------------------------------

Extremes Beam::stay(const float* probs, double log_scale) {
  log_scale_ += log_scale;
  if (!indexed_) index();
  const StayInput input = {count_,         capacity_,     masses_.data(), label_.data(),
                           factor_.data(), token_.data(), source_.data()};
  return beam_kernels().stay(input, probs, probs[blank_], next_masses_.data(), next_label_.data(), repeated_.data());
}

// Finds each entry's parent in the beam, and the extensions that exist already. Runs once for each change of the beam.
void Beam::index() {
  for (size_t list = 0; list < listed_.size(); ++list) {
    list_of_token_[static_cast<size_t>(listed_[list])] = -1;
    std::fill_n(bits_.begin() + static_cast<std::ptrdiff_t>(list * words_), words_, 0);
  }
  listed_.clear();
  std::fill(unrepeatable_.begin(), unrepeatable_.end(), 0);
  const auto unrepeatable = [&](int32_t i) { unrepeatable_[static_cast<size_t>(i) / 64] |= uint64_t{1} << (i % 64); };
  for (int32_t i = 0; i < count_; ++i) {
    const auto at = static_cast<size_t>(i);
    const int32_t above = parent_[at], token = token_[at];
    const int32_t parent = above == PrefixTree::none ? -1 : tree_[above].entry;
    if (token == blank_) unrepeatable(i);  // the empty text
    if (parent < 0) {
      source_[at] = 2 * capacity_;
    } else if (token_[static_cast<size_t>(parent)] == token) {
      source_[at] = capacity_ + parent;
      unrepeatable(parent);
    } else {
      source_[at] = parent;
      mark_child(parent, token);
    }
  }
  indexed_ = true;
}

void Beam::mark_child(int32_t entry, int32_t token) {
  int32_t& list = list_of_token_[static_cast<size_t>(token)];
  if (list < 0) {
    list = static_cast<int32_t>(listed_.size());
    listed_.push_back(token);
  }
  bits_[static_cast<size_t>(list) * words_ + static_cast<size_t>(entry) / 64] |= uint64_t{1} << (entry % 64);
}

const uint64_t* Beam::existing(int token) const {
  const int32_t list = list_of_token_[static_cast<size_t>(token)];
  return list < 0 ? no_bits_.data() : &bits_[static_cast<size_t>(list) * words_];
}

int32_t Beam::node_of(int entry) {
  const auto i = static_cast<size_t>(entry);
  if (node_[i] == PrefixTree::none) node_[i] = tree_.add(parent_[i], token_[i], entry);
  return node_[i];
}

void Beam::leave_tree(int slot) {
  if (const int32_t node = node_[static_cast<size_t>(slot)]; node != PrefixTree::none)
    tree_[node].entry = PrefixTree::none;
}

void Beam::extend(int entry, int token, float mass, Arrival& arrival) {
  const int32_t parent = node_of(entry);
  arrival.node = tree_.child(parent, token);
  arrival.parent = parent;
  arrival.token = token;
  arrival.mass = mass;
  arrival.factor = 1;
}

void Beam::replace(std::span<const int32_t> freed, const std::vector<Arrival>& arrivals,
                   const std::vector<Entry>& carried, float top) {
  std::swap(masses_, next_masses_);
  std::swap(label_, next_label_);
  top_ = top;
  if (!freed.empty() || !arrivals.empty()) {
    const int before = count_;
    for (int32_t slot : freed) leave_tree(slot);
    size_t taken = 0;
    for (size_t k = 0; k < arrivals.size(); ++k) {
      const int slot = taken < freed.size() ? freed[taken++] : count_++;
      place(slot, arrivals[k]);
      if (!carried.empty()) entries_[static_cast<size_t>(slot)] = carried[k];
    }
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
  node_[i] = arrival.node;
  parent_[i] = arrival.parent;
  if (arrival.node != PrefixTree::none) tree_[arrival.node].entry = slot;
}

// Moves the last entries into the empty slots (ascending), beginning with slot number `from`.
void Beam::remove(std::span<const int32_t> slots, size_t from) {
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
  node_[b] = node_[a];
  parent_[b] = parent_[a];
  entries_[b] = entries_[a];
  if (node_[b] != PrefixTree::none) tree_[node_[b]].entry = to;
}

// Clears slots: they have no mass and receive none.
void Beam::clear(int first, int last) {
  for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
    for (auto* each : {&masses_, &next_masses_}) (*each)[i] = (*each)[static_cast<size_t>(capacity_) + i] = 0;
    label_[i] = next_label_[i] = factor_[i] = repeated_[i] = 0;
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

void Beam::append_tokens(int entry, std::vector<int32_t>& tokens) const {
  const auto i = static_cast<size_t>(entry);
  if (node_[i] == PrefixTree::root) return;
  tree_.append_tokens(PrefixTree::root, parent_[i], tokens);
  tokens.push_back(token_[i]);
}

// Walks up from each entry, as far as no walk before it.
std::vector<int32_t> Beam::stable() {
  std::vector<int32_t> result;
  if (count_ == 0) return result;
  enum : uint8_t { unseen, on_first, elsewhere };  // on_first: on the way up from the first entry
  int32_t common = node_of(0);
  std::vector<uint8_t> seen(tree_.size(), unseen);
  for (int32_t node = common; node != PrefixTree::none; node = tree_[node].parent)
    seen[static_cast<size_t>(node)] = on_first;
  for (size_t i = 1; i < static_cast<size_t>(count_); ++i) {
    int32_t node = node_[i] == PrefixTree::none ? parent_[i] : node_[i];
    for (; seen[static_cast<size_t>(node)] == unseen; node = tree_[node].parent)
      seen[static_cast<size_t>(node)] = elsewhere;
    if (seen[static_cast<size_t>(node)] == on_first && tree_[node].depth < tree_[common].depth) common = node;
  }
  tree_.append_tokens(PrefixTree::root, common, result);
  return result;
}

std::vector<int32_t> Beam::recent(size_t count) const {
  std::vector<int32_t> result;
  for (size_t i = 0; i < static_cast<size_t>(count_) && count > 0; ++i) {
    if (token_[i] != blank_) result.push_back(token_[i]);  // the blank: the empty text
    int32_t node = node_[i] == PrefixTree::root ? PrefixTree::none : parent_[i];
    for (size_t k = 1; k < count && node > PrefixTree::root; ++k, node = tree_[node].parent)
      result.push_back(tree_[node].token);
  }
  std::ranges::sort(result);
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

void Beam::forget(size_t count) {
  if (count_ == 0) return;
  const int32_t depth = tree_[PrefixTree::root].depth + static_cast<int32_t>(count);
  const int32_t top = tree_.ancestor(node_of(0), depth);
  for (size_t i = 0; i < static_cast<size_t>(count_); ++i)
    if (node_[i] == top) parent_[i] = PrefixTree::none;
  tidy(top);
}

void Beam::keep_only(std::span<const int32_t> prefix, size_t closed, int64_t frames) {
  std::vector<int32_t> others, long_ones, text;
  for (int i = 0; i < count_; ++i) {
    text.clear();
    append_tokens(i, text);
    if (text.size() < prefix.size() || !std::equal(prefix.begin(), prefix.end(), text.begin()))
      others.push_back(i);
    else if (frames_needed(text.data() + closed, static_cast<int64_t>(text.size() - closed)) > frames)
      long_ones.push_back(i);
  }
  if (others.size() + long_ones.size() < static_cast<size_t>(count_)) {
    others.insert(others.end(), long_ones.begin(), long_ones.end());
    std::ranges::sort(others);
  }
  if (others.empty()) return;
  for (const int32_t i : others) leave_tree(i);
  const int before = count_;
  remove(others, 0);
  clear(count_, before);
  top_ = *std::max_element(masses_.begin(), masses_.begin() + std::max(count_, 1));
  rescale();
  indexed_ = false;
}

// Deletes the nodes that no entry needs; `top` becomes the root.
void Beam::tidy(int32_t top) {
  std::vector<int32_t*> used;
  for (size_t i = 0; i < static_cast<size_t>(count_); ++i)
    for (int32_t* node : {&node_[i], &parent_[i]})
      if (*node != PrefixTree::none) used.push_back(node);
  tree_.keep(top, used);
  tidy_from_ = 2 * tree_.size() + tidy_step;
  indexed_ = false;
}

}  // namespace ctckit
