// The n-gram language model: a back-off automaton in one block of memory, with the same layout in a file.
//
// This folder: model.hpp (the interface of language models), ngram.hpp (this model and its queries), compact.hpp (the same
// automaton in few bits, for files), builder.hpp (makes models), ordered.hpp (sorts n-grams), arpa.cpp and arpa_writer.cpp
// (ARPA text), file.cpp (binary files), train.hpp (estimates models from text), bits.hpp (packed numbers), kenlm/ (KenLM's
// binary files).
//
// A state is a context with continuations of its own, or with a back-off weight. Each state except the empty context
// (state 0) has a link to its longest proper suffix that is a state. One hash table with open addressing holds all
// n-grams of order ≥ 2, with the key (state of the context, word). An array holds the unigrams. So a query takes one
// lookup, and one more for each back-off.
//
// The memory may be a damaged file. No value from it is trusted as an index: for any content, query and find terminate
// and read only inside of the memory.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lm/model.hpp"

// If files that are compiled for several instruction sets include this header, the linker must not keep a copy of a
// function for newer processors. So all functions in it are inlined.
#define CTCKIT_ALWAYS_INLINE __attribute__((always_inline))

namespace ctckit {

class NGram final : public BackoffModel {
 public:
  static constexpr int max_order = 16;

  struct Step {
    float log_prob;  // nats
    uint32_t state;
  };

  // The beginning of the memory. After it, each aligned to 64 bytes: slots, nodes, unigrams, name slots, name ends,
  // names.
  struct Header {
    std::array<char, 8> magic;
    uint32_t version;
    uint32_t byte_order;
    uint64_t header_checksum;  // of the header with this field set to 0
    uint64_t body_checksum;    // of everything after the header
    uint64_t bytes;            // header and body
    uint64_t slots;
    uint64_t name_slots;
    uint64_t name_bytes;
    uint64_t states;
    uint32_t words;
    uint32_t order;
    uint32_t unknown, begin, end;  // <unk>, <s>, </s>
    uint32_t note_bytes;
    std::array<uint64_t, max_order> counts;     // n-grams of each order
    std::array<uint32_t, max_order + 1> first;  // the first state of each context length; states are ordered by length
    std::array<char, 3804> note;                // JSON from Python
  };
  static_assert(sizeof(Header) == 4096);

  struct Slot {
    uint64_t key;  // state << 32 | word; 0: free
    float log_prob;
    uint32_t state;
  };
  struct Node {
    float back_off;
    uint32_t shorter;   // its longest suffix; always smaller than the state itself
    uint64_t followed;  // the bits by_bit of all words that follow
  };
  struct Unigram {
    float log_prob;
    uint32_t state;
  };
  struct NameSlot {
    uint32_t tag;  // the low half of the hash
    uint32_t id;   // + 1; 0: free
  };
  struct Sections {
    size_t slots, nodes, unigrams, name_slots, name_ends, names, bytes;
  };

  // Takes memory that begins with a header with checked sizes. `path`: the file that is mapped there.
  NGram(std::shared_ptr<const std::byte> memory, std::string path = {});

  const std::string& path() const noexcept { return path_; }  // "" if there is no file
  uint64_t fingerprint() const noexcept;

  CTCKIT_ALWAYS_INLINE uint32_t start() const noexcept { return unigrams_[header_->begin].state; }
  CTCKIT_ALWAYS_INLINE uint32_t empty() const noexcept { return 0; }
  uint32_t unknown() const noexcept override { return unknown_; }
  uint32_t begin() const noexcept override { return header_->begin; }
  uint32_t end() const noexcept override { return header_->end; }
  int order() const noexcept override { return static_cast<int>(header_->order); }
  uint32_t size() const noexcept override { return words_; }
  std::vector<uint64_t> counts() const override {
    return {header_->counts.begin(), header_->counts.begin() + header_->order};
  }
  uint64_t bytes() const noexcept override { return header_->bytes; }
  double unigram(uint32_t word) const noexcept override {
    return static_cast<double>(unigrams_[word < words_ ? word : unknown_].log_prob);
  }
  ModelState first_state() const noexcept override { return {{start(), 0, 0, 0}}; }
  bool has_short_states() const noexcept override { return true; }
  Scored score(const ModelState& state, uint32_t word) const noexcept override {
    const Step step = query(state.parts[0], word);
    return {static_cast<double>(step.log_prob), {{step.state, 0, 0, 0}}};
  }
  int matched(const ModelState& state, uint32_t word) const noexcept override { return match(state.parts[0], word); }

  // Returns log p(word | state) and the state after the word. An invalid word counts as <unk>, an invalid state as the
  // empty context.
  CTCKIT_ALWAYS_INLINE Step query(uint32_t state, uint32_t word) const noexcept {
    if (word >= words_) word = unknown_;
    if (state >= states_) state = 0;
    float back_off = 0;
    while (state) {
      const Node& node = nodes_[state];
      // Few words follow most contexts: then the bits save the lookup.
      if (node.followed & by_bit(word)) {
        if (const Slot* const found = lookup(state, word)) return {back_off + found->log_prob, found->state};
      }
      back_off += node.back_off;
      state = node.shorter < state ? node.shorter : 0;
    }
    const Unigram last = unigrams_[word];
    return {back_off + last.log_prob, last.state};
  }

  // The number of words in the longest n-gram that the model has of the end of the state and the word.
  int match(uint32_t state, uint32_t word) const noexcept;

  // Prefetches the memory of the first lookup of query(state, word).
  CTCKIT_ALWAYS_INLINE void prefetch(uint32_t state, uint32_t word) const noexcept {
    __builtin_prefetch(slots_ + home(key(state, word), slot_count_));
    __builtin_prefetch(nodes_ + state);
  }

  uint32_t find(std::string_view word) const noexcept override;
  std::string_view word(uint32_t id) const noexcept override;
  std::string_view note() const noexcept;
  CTCKIT_ALWAYS_INLINE const Header& header() const noexcept { return *header_; }
  CTCKIT_ALWAYS_INLINE const std::byte* data() const noexcept { return memory_.get(); }

  // For writers, which visit all n-grams.
  CTCKIT_ALWAYS_INLINE const Slot* slots() const noexcept { return slots_; }
  CTCKIT_ALWAYS_INLINE const Slot* lookup(uint32_t state, uint32_t word) const noexcept {
    const uint64_t wanted = key(state, word), first = home(wanted, slot_count_);
    uint64_t i = first;
    do {
      const uint64_t found = slots_[i].key;
      if (found == wanted) return slots_ + i;
      if (!found) return nullptr;
      if (++i == slot_count_) i = 0;
    } while (i != first);
    return nullptr;
  }
  CTCKIT_ALWAYS_INLINE float back_off(uint32_t state) const noexcept {
    return state && state < states_ ? nodes_[state].back_off : 0;
  }
  uint32_t shorter(uint32_t state) const noexcept {
    return state < states_ && nodes_[state].shorter < state ? nodes_[state].shorter : 0;
  }
  CTCKIT_ALWAYS_INLINE uint32_t unigram_state(uint32_t word) const noexcept {
    return word < words_ ? unigrams_[word].state : 0;
  }
  int length(uint32_t state) const noexcept;  // number of words in the context

  CTCKIT_ALWAYS_INLINE static uint64_t by_bit(uint32_t word) noexcept { return uint64_t{1} << (word & 63); }
  CTCKIT_ALWAYS_INLINE static uint64_t key(uint32_t state, uint32_t word) noexcept {
    return uint64_t{state} << 32 | word;
  }
  CTCKIT_ALWAYS_INLINE static uint64_t mix(uint64_t value) noexcept {
    value *= 0x9E3779B97F4A7C15u;
    value ^= value >> 32;
    value *= 0xBF58476D1CE4E5B9u;
    return value;
  }
  // Maps keys to any number of places below 2³².
  CTCKIT_ALWAYS_INLINE static uint64_t home(uint64_t key, uint64_t places) noexcept {
    return (mix(key) >> 32) * places >> 32;
  }
  static uint64_t hash(std::string_view name) noexcept;
  CTCKIT_ALWAYS_INLINE static uint64_t name_home(uint64_t hash, uint64_t places) noexcept {
    return (hash >> 32) * places >> 32;
  }
  static Sections sections(const Header& header) noexcept;

 private:
  std::shared_ptr<const std::byte> memory_;
  std::string path_;
  const Header* header_;
  const Slot* slots_;
  const Node* nodes_;
  const Unigram* unigrams_;
  const NameSlot* name_slots_;
  const uint64_t* name_ends_;
  const char* names_;
  uint64_t slot_count_;
  uint64_t states_;
  uint32_t words_, unknown_;
};

CTCKIT_ALWAYS_INLINE inline uint64_t NGram::hash(std::string_view name) noexcept {
  uint64_t result = 0x243F6A8885A308D3u ^ name.size();
  const char* from = name.data();
  size_t left = name.size();
  const auto stir = [&](uint64_t part) {
    result = (result ^ part) * 0x9E3779B97F4A7C15u;
    result ^= result >> 32;
  };
  for (; left >= 8; from += 8, left -= 8) {
    uint64_t part;
    std::memcpy(&part, from, 8);
    stir(part);
  }
  uint64_t part = 0;
  for (size_t i = 0; i < left; ++i) part |= uint64_t{static_cast<unsigned char>(from[i])} << 8 * i;
  stir(part);
  return result * 0xBF58476D1CE4E5B9u;
}

}  // namespace ctckit
