#include "lm/builder.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace ctckit {
namespace {

constexpr size_t ahead = 16;  // how many n-grams ahead to prefetch
const float missing_unknown = static_cast<float>(-100 * std::log(10.0));

}  // namespace

NGramBuilder::NGramBuilder(int order)
    : order_(order), slots_(64), nodes_(1), name_slots_(64), counts_(static_cast<size_t>(order)) {}

void NGramBuilder::reserve(const std::vector<uint64_t>& counts) {
  uint64_t longer = 0, nodes = 1;
  for (size_t n = 0; n < counts.size(); ++n) {
    if (n) longer += counts[n];
    if (static_cast<int>(n) + 1 < order_) nodes += counts[n];
  }
  slots_.resize(std::max<size_t>(64, std::bit_ceil(longer + longer / 2)));
  nodes_.reserve(nodes);
  if (counts.empty()) return;
  unigrams_.reserve(counts[0]);
  name_ends_.reserve(counts[0]);
  grow_names(std::bit_ceil(2 * counts[0]));
}

// --- words

uint32_t NGramBuilder::find(std::string_view word, uint64_t hash) const {
  const size_t mask = name_slots_.size() - 1;
  for (size_t i = hash >> 32 & mask;; i = (i + 1) & mask) {
    const auto [tag, id] = name_slots_[i];
    if (!id) return none;
    if (tag != static_cast<uint32_t>(hash)) continue;
    const uint64_t first = id > 1 ? name_ends_[id - 2] : 0;
    if (std::string_view(names_.data() + first, name_ends_[id - 1] - first) == word) return id - 1;
  }
}

void NGramBuilder::prefetch(uint64_t hash) const {
  __builtin_prefetch(&name_slots_[hash >> 32 & (name_slots_.size() - 1)]);
}

void NGramBuilder::grow_names(size_t slots) {
  if (slots <= name_slots_.size()) return;
  name_slots_.assign(slots, {});
  const size_t mask = slots - 1;
  for (uint32_t id = 0; id < words(); ++id) {
    const uint64_t first = id ? name_ends_[id - 1] : 0;
    const uint64_t hash = NGram::hash({names_.data() + first, name_ends_[id] - first});
    size_t i = hash >> 32 & mask;
    while (name_slots_[i].id) i = (i + 1) & mask;
    name_slots_[i] = {static_cast<uint32_t>(hash), id + 1};
  }
}

bool NGramBuilder::add_word(std::string_view word, float log_prob, float back_off) {
  const uint64_t hash = NGram::hash(word);
  if (find(word, hash) != none) return false;
  if (size_t{2} * words() + 2 > name_slots_.size()) grow_names(2 * name_slots_.size());
  names_.insert(names_.end(), word.begin(), word.end());
  name_ends_.push_back(names_.size());
  unigrams_.push_back(log_prob);
  const size_t mask = name_slots_.size() - 1;
  size_t i = hash >> 32 & mask;
  while (name_slots_[i].id) i = (i + 1) & mask;
  name_slots_[i] = {static_cast<uint32_t>(hash), words()};
  nodes_.push_back({0, words() - 1, 0, back_off, 0, 1, false});
  ++counts_[0];
  return true;
}

// The node of a word is its number plus 1. So this must run before the first longer n-gram.
void NGramBuilder::add_unknown() {
  if (known_unknown_) return;
  known_unknown_ = true;
  if (find("<unk>") == none) add_word("<unk>", missing_unknown, 0);
}

// --- n-grams

NGram::Slot* NGramBuilder::slot_of(uint64_t key) {
  const size_t mask = slots_.size() - 1;
  size_t i = NGram::home(key, slots_.size());
  while (slots_[i].key && slots_[i].key != key) i = (i + 1) & mask;
  return &slots_[i];
}

void NGramBuilder::grow() {
  Slots old(2 * slots_.size());
  old.swap(slots_);
  for (const NGram::Slot& slot : old) {
    if (slot.key) *slot_of(slot.key) = slot;
  }
}

uint32_t NGramBuilder::own_state(uint32_t state, uint32_t word) {
  if (!state) return word + 1;
  const NGram::Slot* const slot = slot_of(NGram::key(state, word));
  return slot->key ? slot->state : 0;
}

uint32_t NGramBuilder::add_node(uint32_t parent, uint32_t word, float back_off, bool synthetic) {
  const auto length = static_cast<uint8_t>(nodes_[parent].length + 1);
  nodes_.push_back({parent, word, 0, back_off, 0, length, synthetic});
  return static_cast<uint32_t>(nodes_.size() - 1);
}

// Returns the node of a context, and creates missing nodes.
uint32_t NGramBuilder::context(const uint32_t* words, int length) {
  uint32_t state = words[0] + 1;
  for (int k = 1; k < length; ++k) {
    NGram::Slot* slot = slot_of(NGram::key(state, words[k]));
    if (!slot->key) {
      const uint32_t made = add_node(state, words[k], 0, true);
      nodes_[state].followed |= NGram::by_bit(words[k]);
      *slot = {NGram::key(state, words[k]), 0, made};
      ++counts_[static_cast<size_t>(k)];
      if (++used_ * 4 > slots_.size() * 3) grow();
      state = made;
    } else {
      state = slot->state;
    }
  }
  return state;
}

size_t NGramBuilder::add(int length, size_t count, const uint32_t* words, const float* log_probs,
                         const float* back_offs) {
  add_unknown();
  while ((used_ + count) * 4 > slots_.size() * 3) grow();
  const auto fetch = [&](uint32_t state, uint32_t word) {
    __builtin_prefetch(&slots_[NGram::home(NGram::key(state, word), slots_.size())]);
  };
  contexts_.resize(count);
  for (size_t i = 0; i < count; ++i) contexts_[i] = words[i * static_cast<size_t>(length)] + 1;
  for (int k = 1; k < length; ++k) {
    for (size_t i = 0; i < count; ++i) {
      const uint32_t* const own = words + i * static_cast<size_t>(length);
      if (contexts_[i]) fetch(contexts_[i], own[k]);
    }
    if (k == length - 1) break;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t* const own = words + i * static_cast<size_t>(length);
      if (contexts_[i]) contexts_[i] = own_state(contexts_[i], own[k]);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const uint32_t* const own = words + i * static_cast<size_t>(length);
    const uint32_t state = contexts_[i] ? contexts_[i] : context(own, length - 1);
    const uint32_t word = own[length - 1];
    NGram::Slot* const slot = slot_of(NGram::key(state, word));
    if (slot->key) return i;
    nodes_[state].followed |= NGram::by_bit(word);
    const uint32_t node = length < order_ ? add_node(state, word, back_offs[i], false) : 0;
    *slot = {NGram::key(state, word), log_probs[i], node};
    ++used_;
    ++counts_[static_cast<size_t>(length - 1)];
  }
  return count;
}

// --- the automaton

std::vector<uint32_t> NGramBuilder::by_length() const {
  std::vector<uint32_t> nodes(nodes_.size());
  std::iota(nodes.begin(), nodes.end(), 0u);
  std::stable_sort(nodes.begin(), nodes.end(),
                   [&](uint32_t a, uint32_t b) { return nodes_[a].length < nodes_[b].length; });
  return nodes;
}

// Returns the node of the longest proper suffix of (context, word) that has a node.
uint32_t NGramBuilder::longest_suffix(uint32_t state, uint32_t word) {
  while (state) {
    state = nodes_[state].shorter;
    if (const uint32_t found = own_state(state, word)) return found;
  }
  return 0;
}

void NGramBuilder::link(const std::vector<uint32_t>& nodes) {
  for (size_t i = 1; i < nodes.size(); ++i) {
    if (i + ahead < nodes.size()) {
      // Parents are shorter, so they have their links already.
      const Node& next = nodes_[nodes[i + ahead]];
      __builtin_prefetch(&slots_[NGram::home(NGram::key(nodes_[next.parent].shorter, next.word), slots_.size())]);
    }
    Node& node = nodes_[nodes[i]];
    node.shorter = node.length > 1 ? longest_suffix(node.parent, node.word) : 0;
  }
}

void NGramBuilder::set_synthetic_probabilities(const std::vector<uint32_t>& nodes) {
  for (const uint32_t each : nodes) {
    const Node& node = nodes_[each];
    if (!node.synthetic) continue;
    float log_prob = 0;
    const NGram::Slot* found = nullptr;
    for (uint32_t state = node.parent; state && !found;) {
      log_prob += nodes_[state].back_off;
      state = nodes_[state].shorter;
      if (!state) break;
      const NGram::Slot* const slot = slot_of(NGram::key(state, node.word));
      if (slot->key) found = slot;
    }
    slot_of(NGram::key(node.parent, node.word))->log_prob = log_prob + (found ? found->log_prob : unigrams_[node.word]);
  }
}

// Numbers the nodes that matter by length. A context without continuations and with a back-off of log 1 is the same
// state as its longest suffix. Returns the state of each node.
std::vector<uint32_t> NGramBuilder::fold(const std::vector<uint32_t>& nodes, NGram::Header& header) {
  std::vector<uint32_t> states(nodes_.size());
  uint32_t next = 0;
  int length = -1;
  for (const uint32_t each : nodes) {
    const Node& node = nodes_[each];
    for (; length < node.length; ++length) header.first[static_cast<size_t>(length + 1)] = next;
    states[each] = !each || matters(node) ? next++ : states[node.shorter];
  }
  for (size_t rest = static_cast<size_t>(length + 1); rest < header.first.size(); ++rest) header.first[rest] = next;
  header.states = next;
  return states;
}

void NGramBuilder::write_table(const std::vector<uint32_t>& renamed, NGram::Slot* slots, uint64_t count) {
  struct Moving {
    uint64_t home;
    NGram::Slot slot;
  };
  std::vector<Moving> line(ahead);
  size_t in = 0, out = 0;
  const auto place = [&] {
    const Moving& moving = line[out++ % ahead];
    uint64_t i = moving.home;
    while (slots[i].key) i = i + 1 == count ? 0 : i + 1;
    slots[i] = moving.slot;
  };
  const auto suffix_key = [&](const NGram::Slot& slot) {
    return NGram::key(nodes_[slot.key >> 32].shorter, static_cast<uint32_t>(slot.key));
  };
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (i + ahead < slots_.size() && slots_[i + ahead].key && !slots_[i + ahead].state) {
      __builtin_prefetch(&slots_[NGram::home(suffix_key(slots_[i + ahead]), slots_.size())]);
    }
    const NGram::Slot& old = slots_[i];
    if (!old.key) continue;
    const auto state = static_cast<uint32_t>(old.key >> 32), word = static_cast<uint32_t>(old.key);
    const uint32_t behind = old.state ? old.state : longest_suffix(state, word);
    const uint64_t key = NGram::key(renamed[state], word);
    if (in - out == ahead) place();
    line[in++ % ahead] = {NGram::home(key, count), {key, old.log_prob, renamed[behind]}};
    __builtin_prefetch(slots + NGram::home(key, count), 1);
  }
  while (out < in) place();
}

std::shared_ptr<const NGram> NGramBuilder::finish() {
  add_unknown();
  NGram::Header header{};
  header.order = static_cast<uint32_t>(order_);
  header.words = words();
  header.unknown = find("<unk>");
  header.begin = find("<s>");
  header.end = find("</s>");
  std::copy(counts_.begin(), counts_.end(), header.counts.begin());

  const std::vector<uint32_t> nodes = by_length();
  link(nodes);
  set_synthetic_probabilities(nodes);
  const std::vector<uint32_t> states = fold(nodes, header);

  header.slots = 2 * used_ + 8;
  header.name_slots = 2 * uint64_t{words()} + 8;
  header.name_bytes = names_.size();
  const NGram::Sections at = NGram::sections(header);
  header.bytes = at.bytes;

  const std::shared_ptr<std::byte> memory = zeroed_memory(at.bytes);
  std::byte* const base = memory.get();
  write_table(states, reinterpret_cast<NGram::Slot*>(base + at.slots), header.slots);
  auto* const to_nodes = reinterpret_cast<NGram::Node*>(base + at.nodes);
  for (const uint32_t each : nodes) {
    const Node& node = nodes_[each];
    if (each && matters(node)) to_nodes[states[each]] = {node.back_off, states[node.shorter], node.followed};
  }
  auto* const unigrams = reinterpret_cast<NGram::Unigram*>(base + at.unigrams);
  for (uint32_t word = 0; word < words(); ++word) unigrams[word] = {unigrams_[word], states[word + 1]};
  auto* const name_slots = reinterpret_cast<NGram::NameSlot*>(base + at.name_slots);
  for (uint32_t word = 0; word < words(); ++word) {
    const uint64_t first = word ? name_ends_[word - 1] : 0;
    const uint64_t hash = NGram::hash({names_.data() + first, name_ends_[word] - first});
    uint64_t i = NGram::name_home(hash, header.name_slots);
    while (name_slots[i].id) i = i + 1 == header.name_slots ? 0 : i + 1;
    name_slots[i] = {static_cast<uint32_t>(hash), word + 1};
  }
  std::memcpy(base + at.name_ends, name_ends_.data(), name_ends_.size() * sizeof(uint64_t));
  std::memcpy(base + at.names, names_.data(), names_.size());
  std::memcpy(base, &header, sizeof header);
  return std::make_shared<const NGram>(memory);
}

}  // namespace ctckit
