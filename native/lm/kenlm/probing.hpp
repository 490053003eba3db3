// The n-grams of a probing file: an array of the words' weights, then a hash table for each order from 2 on.
//
// The weights of a word or an n-gram below the highest order are float log₁₀ p and float back-off, in files with rest
// costs also a float that only decoders of KenLM's kind need. The sign of log₁₀ p says whether some longer n-gram ends in
// this one: then it is positive, and its true sign is lost. The array has room for one word more than the header counts.
// In the tables, the weights follow a uint64 key; at the highest order, only log₁₀ p does.
//
// A key stands for the words of an n-gram from the last to the first: of a word, its number; with one word more before
// it, key · a xor (number + 1) · b, for two constants a and b.
#pragma once
#include <bit>
#include <cmath>
#include <vector>

#include "lm/kenlm/vocabulary.hpp"

namespace ctckit::kenlm {

struct Weights {
  float log_prob, back_off;  // log₁₀
  bool is_end_of_longer;     // whether a longer n-gram may end in this one
};

class Probing {
 public:
  using Node = uint64_t;  // the key of an n-gram

  Probing(const Header& header, Sections& sections);

  Weights unigram(uint32_t word, Node& node) const noexcept {
    node = word;
    return weights(unigrams_ + word * weights_bytes_);
  }
  // Looks for the n-gram that has one word more before the node, of 2 to order − 1 words, and sets the node to it.
  bool longer(int length, uint32_t word, Node& node, Weights& found) const noexcept {
    node = key(node, word);
    const std::byte* const at = tables_[static_cast<size_t>(length - 2)].find(node);
    if (at) found = weights(at);
    return at != nullptr;
  }
  // The same at the highest order.
  bool longest(uint32_t word, Node node, float& log_prob) const noexcept {
    const std::byte* const at = tables_.back().find(key(node, word));
    if (at) log_prob = -std::abs(loaded<float>(at));
    return at != nullptr;
  }

  static uint64_t key(uint64_t node, uint32_t word) noexcept {
    return node * node_factor ^ uint64_t{word + 1} * word_factor;
  }
  // The weights of an n-gram that the table has.
  Weights entry(int length, Node node) const noexcept {
    const std::byte* const at = table(length).find(node);
    const bool is_longest = static_cast<size_t>(length - 1) == tables_.size();
    return is_longest ? Weights{-std::abs(loaded<float>(at)), 0, false} : weights(at);
  }
  const Buckets& table(int length) const noexcept { return tables_[static_cast<size_t>(length - 2)]; }

  static constexpr uint64_t node_factor = 8978948897894561157u, word_factor = 17894857484156487943u;

 private:
  static Weights weights(const std::byte* at) noexcept {
    const auto log_prob = loaded<float>(at);
    return {-std::abs(log_prob), loaded<float>(at + sizeof(float)), !std::signbit(log_prob)};
  }

  uint64_t weights_bytes_;
  const std::byte* unigrams_;
  std::vector<Buckets> tables_;
};

}  // namespace ctckit::kenlm
