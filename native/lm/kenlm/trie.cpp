#include "lm/kenlm/trie.hpp"

#include <cmath>

namespace ctckit::kenlm {
namespace {

constexpr unsigned most_value_bits = 25;
constexpr unsigned most_bits = 57;  // what one read gives at any bit
constexpr uint64_t missing = ~uint64_t{0};
constexpr uint64_t few = 64;  // siblings that are searched one by one

// How many low bits of a child's place stay in the entries of an array that is compressed.
unsigned low_bits(uint64_t entries, uint64_t children, unsigned most_saved) {
  const auto needed = static_cast<unsigned>(std::bit_width(children));
  unsigned best = 0;
  int64_t least = 0;
  for (unsigned saved = 0; saved <= std::min(needed, most_saved); ++saved) {
    const uint64_t elements = needed - saved >= 64 ? 0 : children >> (needed - saved);
    const int64_t cost =
        static_cast<int64_t>(elements * 64) - static_cast<int64_t>(entries) * static_cast<int64_t>(saved);
    if (saved == 0 || cost < least) {
      least = cost;
      best = saved;
    }
  }
  return needed - best;
}

}  // namespace

Trie::Trie(const Header& header, Sections& sections) : levels_(header.counts.size() - 1) {
  if (header.is_quantized()) read_values(sections);
  unigrams_ = sections.take(header.counts[0] + 2, unigram_bytes, "words' weights");
  for (size_t k = 0; k < levels_.size(); ++k) {
    Level& level = levels_[k];
    const bool longest = k + 1 == levels_.size();
    level.count = header.counts[k + 1];
    level.children = longest ? 0 : header.counts[k + 2];
    level.words = header.counts[0];
    level.word_share = (uint64_t{1} << 32) / std::max(level.words, uint64_t{1});
    level.word_bits = static_cast<unsigned>(std::bit_width(header.counts[0]));
    if (!header.is_quantized()) {
      level.log_prob_bits = 31;
      level.back_off_bits = longest ? 0 : 32;
    }
    level.child_bits = static_cast<unsigned>(std::bit_width(level.children));
    if (header.has_array() && !longest) read_array(sections, level);
    if (level.child_bits > most_bits) damaged("its header says " + std::to_string(level.children) + " n-grams");
    level.entry_bits = level.word_bits + level.back_off_bits + level.log_prob_bits + level.child_bits;
    // At most 2^32 · 8 bytes of file times 8 bits for each count: no overflow.
    const uint64_t bits = (level.count + 1) * level.entry_bits;
    level.entries = sections.take((bits + 7) / 8 + sizeof(uint64_t), 1, std::to_string(k + 2) + "-grams");
  }
  check_children(header);
}

void Trie::read_values(Sections& sections) {
  const std::byte* const begin = sections.take(8, 1, "quantized values");
  if (const auto version = loaded<uint8_t>(begin); version != 2) {
    throw FormatError("version " + std::to_string(version) +
                      " of KenLM's quantization; this ctckit reads version 2. Load the ARPA file.");
  }
  const unsigned log_prob_bits = loaded<uint8_t>(begin + 1), back_off_bits = loaded<uint8_t>(begin + 2);
  if (log_prob_bits < 1 || log_prob_bits > most_value_bits || back_off_bits < 1 || back_off_bits > most_value_bits) {
    damaged("its values have " + std::to_string(log_prob_bits) + " and " + std::to_string(back_off_bits) +
            " bits; expected 1 to " + std::to_string(most_value_bits));
  }
  for (size_t k = 0; k < levels_.size(); ++k) {
    Level& level = levels_[k];
    level.log_prob_bits = log_prob_bits;
    level.log_probs = sections.take(uint64_t{1} << log_prob_bits, sizeof(float), "quantized values");
    if (k + 1 == levels_.size()) break;
    level.back_off_bits = back_off_bits;
    level.back_offs = sections.take(uint64_t{1} << back_off_bits, sizeof(float), "quantized values");
  }
}

void Trie::read_array(Sections& sections, Level& level) {
  const uint64_t alignment = (8 - sections.at() % 8) % 8;
  const std::byte* const begin = sections.take(2, 1, "compressed pointers");
  if (const auto version = loaded<uint8_t>(begin); version != 0) {
    throw FormatError("version " + std::to_string(version) +
                      " of KenLM's compressed pointers; this ctckit reads version 0. Load the ARPA file.");
  }
  level.child_bits = low_bits(level.count + 1, level.children, loaded<uint8_t>(begin + 1));
  level.high_count = (level.children >> level.child_bits) + 1;
  sections.take(6, 1, "compressed pointers");
  sections.take(alignment, 1, "compressed pointers");
  level.high = sections.take(level.high_count, sizeof(uint64_t), "compressed pointers");
  sections.take(7 - alignment, 1, "compressed pointers");
  uint64_t before = 0;
  for (uint64_t k = 0; k < level.high_count; ++k) {
    const auto each = loaded<uint64_t>(level.high + k * sizeof(uint64_t));
    if (each < before || (k == 0 && each != 0)) damaged("its compressed pointers are not sorted");
    before = each;
  }
}

// Children of words, and the first and last child of longer n-grams. All others are checked where they are read: that
// would need the whole file here.
void Trie::check_children(const Header& header) const {
  uint64_t before = 0;
  for (uint64_t word = 0; word <= header.counts[0]; ++word) {
    const auto each = loaded<uint64_t>(unigrams_ + word * unigram_bytes + 8);
    if (each < before || (word == 0 && each != 0)) damaged("the children of its words are not in order");
    before = each;
  }
  if (before != levels_.front().count) {
    damaged("its words have " + std::to_string(before) + " children, its header says " +
            std::to_string(levels_.front().count) + " 2-grams");
  }
  for (size_t k = 0; k + 1 < levels_.size(); ++k) {
    const Level& level = levels_[k];
    if (level.count == 0 ? level.children != 0
                         : children(level, 0).first != 0 || children(level, level.count - 1).last != level.children) {
      damaged("its " + std::to_string(k + 2) + "-grams do not have the " + std::to_string(level.children) +
              " children that its header says");
    }
  }
}

// Searches siblings. Words are spread evenly, so in a short list the place that interpolation gives is a few entries off: the
// search goes on from there, entry by entry, which reads less memory than halves do. Few steps suffice for any content.
uint64_t Trie::find(const Level& level, uint32_t wanted, const Node& node) noexcept {
  if (wanted >= level.words || node.first == node.last) return missing;
  Node near = node;
  uint64_t place = node.first + ((node.last - node.first) * (wanted * level.word_share) >> 32);
  if (node.last - node.first > few) {
    place = shorten(level, wanted, near);
    if (near.first == near.last) return missing;
  }
  uint32_t found = word(level, place);
  while (found < wanted) {
    if (++place == near.last) return missing;
    found = word(level, place);
    if (found > wanted) return missing;
  }
  while (found > wanted) {
    if (place == near.first) return missing;
    found = word(level, --place);
  }
  return found == wanted ? place : missing;
}

// Leaves the few siblings among which a word is, if at all, and returns the likeliest place: by a few steps of
// interpolation, and by halves, if the words are not spread evenly.
uint64_t Trie::shorten(const Level& level, uint32_t wanted, Node& node) noexcept {
  uint64_t &first = node.first, &last = node.last;
  uint64_t least = 0, most = level.words;  // words at [first, last) are at least `least` and below `most`
  const auto expected = [&] {
    const float share = static_cast<float>(wanted - least) / static_cast<float>(most - least);
    return std::min(first + static_cast<uint64_t>(share * static_cast<float>(last - first)), last - 1);
  };
  for (int step = 0; step < 4 && last - first > few; ++step) {
    const uint64_t place = expected();
    const uint32_t found = word(level, place);
    if (found <= wanted) {
      first = place;
      least = found;
    } else {
      last = place;
      most = found;
    }
  }
  while (last - first > few) {
    const uint64_t middle = first + (last - first) / 2;
    (word(level, middle) <= wanted ? first : last) = middle;
  }
  return first == last ? first : expected();
}

float Trie::log_prob(const Level& level, uint64_t bit) noexcept {
  if (level.log_probs) {
    const uint64_t value = bits_at(level.entries, bit + level.back_off_bits, level.log_prob_bits);
    return loaded<float>(level.log_probs + value * sizeof(float));
  }
  return std::bit_cast<float>(static_cast<uint32_t>(bits_at(level.entries, bit, 31)) | 0x80000000u);
}

float Trie::back_off(const Level& level, uint64_t bit) noexcept {
  if (level.back_offs) {
    return loaded<float>(level.back_offs + bits_at(level.entries, bit, level.back_off_bits) * sizeof(float));
  }
  return std::bit_cast<float>(static_cast<uint32_t>(bits_at(level.entries, bit + 31, 32)));
}

uint64_t Trie::low_child(const Level& level, uint64_t place) noexcept {
  return bits_at(level.entries, (place + 1) * level.entry_bits - level.child_bits, level.child_bits);
}

// The first child of the entry at a place, and of the next one.
Trie::Node Trie::children(const Level& level, uint64_t place) noexcept {
  const uint64_t low = low_child(level, place), next_low = low_child(level, place + 1);
  if (!level.high) return {low, next_low};
  const auto element = [&](uint64_t k) { return loaded<uint64_t>(level.high + k * sizeof(uint64_t)); };
  uint64_t high = 0;  // the last element that is not above `place`
  for (uint64_t left = level.high_count; left > 1;) {
    const uint64_t half = left / 2;
    high += element(high + half) <= place ? half : 0;
    left -= half;
  }
  uint64_t next_high = high;
  while (next_high + 1 < level.high_count && element(next_high + 1) <= place + 1) ++next_high;
  return {high << level.child_bits | low, next_high << level.child_bits | next_low};
}

Weights Trie::entry(int length, uint64_t place, Node& node) const noexcept {
  const Level& level = this->level(length);
  const uint64_t bit = place * level.entry_bits + level.word_bits;
  if (&level == &levels_.back()) {
    node = {0, 0};
    return {log_prob(level, bit), 0, false};
  }
  node = children(level, place);
  node = within(node.first, node.last, level.children);
  return {log_prob(level, bit), back_off(level, bit), node.first < node.last};
}

bool Trie::longer(int length, uint32_t word, Node& node, Weights& found) const noexcept {
  const uint64_t place = find(level(length), word, node);
  if (place == missing) return false;
  found = entry(length, place, node);
  return true;
}

bool Trie::longest(uint32_t word, const Node& node, float& log_prob) const noexcept {
  const Level& level = levels_.back();
  const uint64_t place = find(level, word, node);
  if (place == missing) return false;
  log_prob = Trie::log_prob(level, place * level.entry_bits + level.word_bits);
  return true;
}

}  // namespace ctckit::kenlm
