#include "lm/ngram.hpp"

#include <algorithm>
#include <utility>

#include "lm/mapped_file.hpp"

namespace ctckit {

NGram::Sections NGram::sections(const Header& header) noexcept {
  size_t end = sizeof(Header);
  const auto section = [&](size_t count, size_t size) {
    const size_t begin = (end + 63) / 64 * 64;
    end = begin + count * size;
    return begin;
  };
  Sections found{};
  found.slots = section(header.slots, sizeof(Slot));
  found.nodes = section(header.states, sizeof(Node));
  found.unigrams = section(header.words, sizeof(Unigram));
  found.name_slots = section(header.name_slots, sizeof(NameSlot));
  found.name_ends = section(header.words, sizeof(uint64_t));
  found.names = section(header.name_bytes, 1);
  found.bytes = (end + 63) / 64 * 64;
  return found;
}

NGram::NGram(std::shared_ptr<const std::byte> memory, std::string path)
    : memory_(std::move(memory)), path_(std::move(path)), header_(reinterpret_cast<const Header*>(memory_.get())) {
  const Sections at = sections(*header_);
  const std::byte* const base = memory_.get();
  slots_ = reinterpret_cast<const Slot*>(base + at.slots);
  nodes_ = reinterpret_cast<const Node*>(base + at.nodes);
  unigrams_ = reinterpret_cast<const Unigram*>(base + at.unigrams);
  name_slots_ = reinterpret_cast<const NameSlot*>(base + at.name_slots);
  name_ends_ = reinterpret_cast<const uint64_t*>(base + at.name_ends);
  names_ = reinterpret_cast<const char*>(base + at.names);
  slot_count_ = header_->slots;
  states_ = header_->states;
  words_ = header_->words;
  unknown_ = header_->unknown;
}

uint64_t NGram::fingerprint() const noexcept { return ctckit::fingerprint({memory_, header_->bytes}); }

std::string_view NGram::word(uint32_t id) const noexcept {
  if (id >= words_) return {};
  const uint64_t first = id ? name_ends_[id - 1] : 0, last = name_ends_[id];
  if (first > last || last > header_->name_bytes) return {};
  return {names_ + first, last - first};
}

uint32_t NGram::find(std::string_view name) const noexcept {
  const uint64_t hashed = hash(name), first = name_home(hashed, header_->name_slots);
  uint64_t i = first;
  do {
    const NameSlot slot = name_slots_[i];
    if (!slot.id) break;
    if (slot.tag == static_cast<uint32_t>(hashed) && word(slot.id - 1) == name && slot.id <= words_) return slot.id - 1;
    if (++i == header_->name_slots) i = 0;
  } while (i != first);
  return unknown_;
}

std::string_view NGram::note() const noexcept { return {header_->note.data(), header_->note_bytes}; }

int NGram::match(uint32_t state, uint32_t word) const noexcept {
  if (word >= words_) word = unknown_;
  if (state >= states_) state = 0;
  while (state && !lookup(state, word)) state = nodes_[state].shorter < state ? nodes_[state].shorter : 0;
  return length(state) + 1;
}

int NGram::length(uint32_t state) const noexcept {
  const auto& first = header_->first;
  return static_cast<int>(std::upper_bound(first.begin(), first.end(), state) - first.begin()) - 1;
}

}  // namespace ctckit
