// The compact layout of an n-gram model: the automaton of ngram.hpp in as few bits as its numbers need.
//
// All n-grams are sorted by the state of their context and their word: first the words, then the 2-grams, and so on. The
// state of the k-th n-gram that has a state of its own is k + 1, so states are ordered by length here too. The layout, all
// of it packed (bits.hpp):
//   floats that are stored in full: some log p, then some back-offs (see Floats)
//   log p of each n-gram
//   back-off of each state from 1 on
//   link of each state of two words or more: its longest proper suffix that is a state
//   filter of each state, in models of few words: the bits by_bit of all words that follow
//   keys of the n-grams from order 2 on, sorted: state · words + word. A bit vector holds their high parts, one run for
//     each value, and an array the low parts (Elias and Fano 1974)
//   a bit for each n-gram below the highest order: whether it has its own state
//   a bit vector with the lengths of all names, the names, and the numbers of the words sorted by name
//
// A query looks its key up among the few keys with the same high part. If the n-gram has no state of its own, the next
// state is that of the longest suffix that has one, found by the same look-up after the links.
//
// The memory may be a damaged file, as in ngram.hpp: no value from it is trusted as an index.
#pragma once
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lm/bits.hpp"
#include "lm/ngram.hpp"

namespace ctckit {

class CompactNGram final : public BackoffModel {
 public:
  static constexpr int max_order = NGram::max_order;

  // How an array of floats is stored: a code below `stored` is the place of a float that is stored in full; any other
  // code is the distance of its float's bits, taken as a number, from those of `base`, plus `stored`.
  struct Floats {
    uint32_t stored, base, bits;
  };

  // The beginning of the memory. After it, each aligned to 8 bytes: the sections in the order above.
  struct Header {
    std::array<char, 8> magic;
    uint32_t version;
    uint32_t byte_order;
    uint64_t header_checksum;  // of the header with this field set to 0
    uint64_t body_checksum;    // of everything after the header
    uint64_t bytes;            // header and body
    uint64_t states;
    uint64_t filters;  // as many as states, or none
    uint64_t name_bytes;
    uint32_t words;
    uint32_t order;
    uint32_t unknown, begin, end;  // <unk>, <s>, </s>
    uint32_t note_bytes;
    uint32_t low_bits;  // of a key
    uint32_t link_bits;
    Floats log_probs, back_offs;
    std::array<uint64_t, max_order> counts;     // n-grams of each order
    std::array<uint32_t, max_order + 1> first;  // the first state of each context length
    std::array<char, 3780> note;                // JSON from Python

    uint64_t entries() const noexcept;  // all n-grams
    uint64_t longer() const noexcept { return entries() - words; }
    uint64_t owners() const noexcept {
      return order > 1 ? entries() - counts[order - 1] : 0;
    }  // below the highest order
    uint64_t linked() const noexcept { return states - first[2]; }
    uint64_t runs() const noexcept { return (states * words >> low_bits) + 1; }  // of the high parts of keys
  };
  static_assert(sizeof(Header) == 4096);

  struct Sections {
    size_t stored, log_probs, back_offs, links, filters, lows, highs, owners, name_ends, sorted, names, bytes;
  };
  static Sections sections(const Header& header) noexcept;
  static uint8_t by_bit(uint32_t word) noexcept { return static_cast<uint8_t>(1u << (word & 7)); }
  // The bits of a word's number.
  static unsigned word_bits(const Header& header) noexcept {
    return static_cast<unsigned>(std::bit_width(header.words - 1));
  }

  // Takes memory that begins with a header with checked sizes. `path`: the file that is mapped there.
  CompactNGram(std::shared_ptr<const std::byte> memory, std::string path = {});

  const std::string& path() const noexcept { return path_; }  // "" if there is no file
  uint64_t fingerprint() const noexcept;
  std::string_view note() const noexcept { return {header_->note.data(), header_->note_bytes}; }
  const Header& header() const noexcept { return *header_; }
  const std::byte* data() const noexcept { return memory_.get(); }

  uint32_t unknown() const noexcept override { return unknown_; }
  uint32_t begin() const noexcept override { return header_->begin; }
  uint32_t end() const noexcept override { return header_->end; }
  int order() const noexcept override { return static_cast<int>(header_->order); }
  uint32_t size() const noexcept override { return words_; }
  std::vector<uint64_t> counts() const override {
    return {header_->counts.begin(), header_->counts.begin() + header_->order};
  }
  uint64_t bytes() const noexcept override { return header_->bytes; }
  uint32_t find(std::string_view word) const noexcept override;
  std::string_view word(uint32_t id) const noexcept override;
  double unigram(uint32_t word) const noexcept override {
    return static_cast<double>(log_prob(word < words_ ? word : unknown_));
  }
  ModelState first_state() const noexcept override { return {{own_state(header_->begin), 0, 0, 0}}; }
  bool has_short_states() const noexcept override { return true; }
  Scored score(const ModelState& state, uint32_t word) const noexcept override;
  int matched(const ModelState& state, uint32_t word) const noexcept override;

  // For conversions: the n-grams by their places among all, the words first.
  float log_prob(uint64_t place) const noexcept { return value(log_probs_, place); }
  float back_off(uint32_t state) const noexcept {
    return value(back_offs_, uint64_t{state} - 1);
  }  // of state 1 or more
  // The state that an n-gram has for itself; 0: none.
  uint32_t own_state(uint64_t place) const noexcept {
    if (place >= owners_.size() || !owners_[place]) return 0;
    const uint64_t state = owners_.ones_before(place) + 1;
    return state < states_ ? static_cast<uint32_t>(state) : 0;
  }
  // Calls visit(place, state of the context, word) for all n-grams from order 2 on. In a damaged file, places may be left
  // out or come again.
  template <class Visit>
  void for_each_longer(Visit&& visit) const {
    for (uint64_t high = 0; high < header_->runs(); ++high) {
      const auto [first, last] = keys_with(high);
      for (uint64_t k = first; k < last; ++k) {
        const uint64_t key = high << header_->low_bits | low(k);
        visit(words_ + k, key / words_, static_cast<uint32_t>(key % words_));
      }
    }
  }

 private:
  static constexpr uint64_t missing = ~uint64_t{0};

  struct Codes {
    Floats floats;
    const std::byte *stored, *codes;
  };
  static float value(const Codes& from, uint64_t place) noexcept {
    const auto code = static_cast<uint32_t>(bits_at(from.codes, place * from.floats.bits, from.floats.bits));
    return code < from.floats.stored ? loaded<float>(from.stored + code * sizeof(float))
                                     : std::bit_cast<float>(from.floats.base + (code - from.floats.stored));
  }
  uint32_t shorter(uint32_t state) const noexcept {
    if (state < header_->first[2]) return 0;
    const uint64_t link =
        bits_at(links_, (state - header_->first[2]) * uint64_t{header_->link_bits}, header_->link_bits);
    return link < state ? static_cast<uint32_t>(link) : 0;
  }
  uint64_t low(uint64_t place) const noexcept { return bits_at(lows_, place * header_->low_bits, header_->low_bits); }
  BitVector::Run keys_with(uint64_t high) const noexcept {
    const BitVector::Run run = highs_.run(high);
    const uint64_t last = std::min(run.last, longer_);
    return {std::min(run.first, last), last};
  }
  // The place of an n-gram among all, `state` being 1 or more.
  uint64_t lookup(uint32_t state, uint32_t word) const noexcept;
  int length(uint32_t state) const noexcept;  // number of words in the context

  std::shared_ptr<const std::byte> memory_;
  std::string path_;
  const Header* header_;
  Codes log_probs_, back_offs_;
  const std::byte *links_, *lows_, *sorted_;
  const uint8_t* filters_;  // null if there are none
  BitVector highs_, owners_, name_ends_;
  const char* names_;
  uint64_t states_, longer_;
  uint32_t words_, unknown_;
  unsigned word_bits_;
};

struct Compacting {
  int quantized_bits = 0;  // if above 0, the nearest of 2^bits values replace log-probabilities and back-offs
  uint32_t most_filtered = 1u << 13;  // words of a model with filters: those of characters and tokens are asked often
};
// The same model in the compact layout: unless quantized, with the same log-probabilities, to the bit.
std::shared_ptr<const CompactNGram> compacted(const NGram& model, const Compacting& how = {});
// The model in the layout of ngram.hpp.
std::shared_ptr<const NGram> expanded(const CompactNGram& model);

}  // namespace ctckit
