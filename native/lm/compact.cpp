#include "lm/compact.hpp"

#include <numeric>
#include <utility>

#include "lm/mapped_file.hpp"

namespace ctckit {

uint64_t CompactNGram::Header::entries() const noexcept {
  return std::accumulate(counts.begin(), counts.begin() + order, uint64_t{0});
}

CompactNGram::Sections CompactNGram::sections(const Header& header) noexcept {
  size_t end = sizeof(Header);
  const auto section = [&](uint64_t bytes) {
    const size_t begin = end;
    end += (bytes + 7) / 8 * 8;
    return begin;
  };
  Sections found{};
  found.stored = section((uint64_t{header.log_probs.stored} + header.back_offs.stored) * sizeof(float));
  found.log_probs = section(packed_bytes(header.entries(), header.log_probs.bits));
  found.back_offs = section(packed_bytes(header.states, header.back_offs.bits));
  found.links = section(packed_bytes(header.linked(), header.link_bits));
  found.filters = section(header.filters);
  found.lows = section(packed_bytes(header.longer(), header.low_bits));
  found.highs = section(BitVector::bytes(header.longer() + header.runs(), header.runs()));
  found.owners = section(BitVector::bytes(header.owners(), 0));
  found.name_ends = section(BitVector::bytes(header.name_bytes + header.words, header.words));
  found.sorted = section(packed_bytes(header.words, word_bits(header)));
  found.names = section(header.name_bytes);
  found.bytes = end;
  return found;
}

CompactNGram::CompactNGram(std::shared_ptr<const std::byte> memory, std::string path)
    : memory_(std::move(memory)), path_(std::move(path)), header_(reinterpret_cast<const Header*>(memory_.get())) {
  const Sections at = sections(*header_);
  const std::byte* const base = memory_.get();
  log_probs_ = {header_->log_probs, base + at.stored, base + at.log_probs};
  back_offs_ = {header_->back_offs, base + at.stored + header_->log_probs.stored * sizeof(float), base + at.back_offs};
  links_ = base + at.links;
  filters_ = header_->filters > 0 ? reinterpret_cast<const uint8_t*>(base + at.filters) : nullptr;
  lows_ = base + at.lows;
  highs_ = {base + at.highs, header_->longer() + header_->runs(), header_->runs()};
  owners_ = {base + at.owners, header_->owners(), 0};
  name_ends_ = {base + at.name_ends, header_->name_bytes + header_->words, header_->words};
  sorted_ = base + at.sorted;
  names_ = reinterpret_cast<const char*>(base + at.names);
  states_ = header_->states;
  longer_ = header_->longer();
  words_ = header_->words;
  unknown_ = header_->unknown;
  word_bits_ = word_bits(*header_);
}

uint64_t CompactNGram::fingerprint() const noexcept { return ctckit::fingerprint({memory_, header_->bytes}); }

std::string_view CompactNGram::word(uint32_t id) const noexcept {
  if (id >= words_) return {};
  const BitVector::Run run = name_ends_.run(id);
  const uint64_t last = std::min(run.last, header_->name_bytes), first = std::min(run.first, last);
  return {names_ + first, last - first};
}

uint32_t CompactNGram::find(std::string_view name) const noexcept {
  uint32_t first = 0, last = words_;  // the word is at [first, last), if at all
  while (first < last) {
    const uint32_t middle = first + (last - first) / 2;
    const auto id = static_cast<uint32_t>(bits_at(sorted_, uint64_t{middle} * word_bits_, word_bits_));
    const int order = word(id).compare(name);
    if (order == 0 && id < words_) return id;
    (order < 0 ? first : last) = order < 0 ? middle + 1 : middle;
  }
  return unknown_;
}

uint64_t CompactNGram::lookup(uint32_t state, uint32_t word) const noexcept {
  if (filters_ && !(filters_[state] & by_bit(word))) return missing;
  const uint64_t key = uint64_t{state} * words_ + word;
  auto [first, last] = keys_with(key >> header_->low_bits);
  const uint64_t wanted = key & ((uint64_t{1} << header_->low_bits) - 1);
  constexpr uint64_t few = 8;
  while (last - first > few) {
    const uint64_t middle = first + (last - first) / 2;
    (low(middle) <= wanted ? first : last) = middle;
  }
  for (; first < last; ++first) {
    const uint64_t found = low(first);
    if (found >= wanted) return found == wanted ? words_ + first : missing;
  }
  return missing;
}

BackoffModel::Scored CompactNGram::score(const ModelState& before, uint32_t word) const noexcept {
  if (word >= words_) word = unknown_;
  uint32_t state = before.parts[0] < states_ ? before.parts[0] : 0;
  float back_off = 0;
  uint64_t place = word;
  for (; state != 0; state = shorter(state)) {
    if (const uint64_t found = lookup(state, word); found != missing) {
      place = found;
      break;
    }
    back_off += this->back_off(state);
  }
  const double log_prob = back_off + this->log_prob(place);
  uint32_t next = own_state(place);
  while (next == 0 && state != 0) {
    state = shorter(state);
    const uint64_t suffix = state != 0 ? lookup(state, word) : word;
    if (suffix != missing) next = own_state(suffix);
  }
  return {log_prob, {{next, 0, 0, 0}}};
}

int CompactNGram::matched(const ModelState& before, uint32_t word) const noexcept {
  if (word >= words_) word = unknown_;
  uint32_t state = before.parts[0] < states_ ? before.parts[0] : 0;
  while (state != 0 && lookup(state, word) == missing) state = shorter(state);
  return length(state) + 1;
}

int CompactNGram::length(uint32_t state) const noexcept {
  const auto& first = header_->first;
  return static_cast<int>(std::upper_bound(first.begin(), first.end(), state) - first.begin()) - 1;
}

}  // namespace ctckit
