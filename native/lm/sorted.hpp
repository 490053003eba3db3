// A corpus sorted by its reversed n-grams: equal n-grams of any length are adjacent.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ctckit {

// A corpus is a list of word numbers, line by line: <s>, words, </s>. <unk>, <s> and </s> have the numbers 0, 1 and 2.
constexpr uint32_t begin_id = 1, end_id = 2;

// Positions sorted by their last `order` words, from the last to the first. Words before <s> count as <s>.
class Sorted {
 public:
  Sorted(std::span<const uint32_t> corpus, int order, uint32_t vocabulary)
      : corpus_(corpus), order_(order), bits_(std::bit_width(vocabulary)), packed_(64 / bits_) {
    sort_by_last_word(vocabulary);
    shared_.assign(positions_.size(), 0);
    for (size_t first = 0; first < positions_.size();) {
      size_t last = first + 1;
      const uint32_t word = corpus_[positions_[first]];
      while (last < positions_.size() && corpus_[positions_[last]] == word) ++last;
      sort_run(first, last, 1);
      first = last;
    }
    spare_ = {};
    keyed_ = {};
  }

  size_t size() const { return positions_.size(); }
  uint32_t position(size_t i) const { return positions_[i]; }
  int shared(size_t i) const { return shared_[i]; }  // number of last words that i shares with i − 1

 private:
  static constexpr size_t few = 1024;  // up to this size std::sort is faster than radix sort

  struct Keyed {
    uint64_t key;
    uint32_t position;
  };

  void sort_by_last_word(uint32_t vocabulary) {
    std::vector<size_t> starts(size_t{vocabulary} + 1);
    for (const uint32_t word : corpus_) {
      if (word != begin_id) ++starts[word + 1];
    }
    for (size_t word = 0; word < vocabulary; ++word) starts[word + 1] += starts[word];
    positions_.resize(starts.back());
    for (size_t i = 0; i < corpus_.size(); ++i) {
      if (corpus_[i] != begin_id) positions_[starts[corpus_[i]]++] = static_cast<uint32_t>(i);
    }
  }

  // Sorts positions that share their last `depth` words.
  void sort_run(size_t first, size_t last, int depth) {
    for (size_t i = first + 1; i < last; ++i) shared_[i] = static_cast<uint8_t>(order_);
    if (last - first < 2 || depth == order_) return;
    for (int k = 1; k < depth; ++k) {
      if (corpus_[positions_[first] - static_cast<uint32_t>(k)] == begin_id)
        return;  // equal back to the beginning of the line
    }
    const int taken = std::min(packed_, order_ - depth);
    keyed_.clear();
    for (size_t i = first; i < last; ++i) keyed_.push_back({key(positions_[i], depth, taken), positions_[i]});
    sort_keys(taken * bits_);
    for (size_t i = first; i < last; ++i) positions_[i] = keyed_[i - first].position;
    const int unused = 64 - taken * bits_;
    for (size_t i = first + 1; i < last; ++i) {
      const uint64_t differ = keyed_[i - first].key ^ keyed_[i - first - 1].key;
      if (differ) shared_[i] = static_cast<uint8_t>(depth + (std::countl_zero(differ) - unused) / bits_);
    }
    if (depth + taken == order_) return;
    // If all packed words are equal, the words before them decide.
    for (size_t from = first; from < last;) {
      size_t to = from + 1;
      while (to < last && shared_[to] == order_) ++to;
      if (to - from > 1) sort_run(from, to, depth + taken);
      from = to;
    }
  }

  uint64_t key(uint32_t position, int depth, int taken) const {
    uint64_t packed = 0;
    bool begun = false;
    for (int k = depth; k < depth + taken; ++k) {
      const uint32_t word = begun ? begin_id : corpus_[position - static_cast<uint32_t>(k)];
      begun = word == begin_id;
      packed = packed << bits_ | word;
    }
    return packed;
  }

  void sort_keys(int bits) {
    if (keyed_.size() <= few) {
      std::sort(keyed_.begin(), keyed_.end(), [](const Keyed& a, const Keyed& b) { return a.key < b.key; });
      return;
    }
    spare_.resize(keyed_.size());
    for (int shift = 0; shift < bits; shift += 8) {
      std::array<size_t, 257> starts{};
      for (const Keyed& each : keyed_) ++starts[(each.key >> shift & 255) + 1];
      if (std::find(starts.begin(), starts.end(), keyed_.size()) != starts.end())
        continue;  // all keys have the same digit
      for (size_t digit = 0; digit < 256; ++digit) starts[digit + 1] += starts[digit];
      for (const Keyed& each : keyed_) spare_[starts[each.key >> shift & 255]++] = each;
      keyed_.swap(spare_);
    }
  }

  std::span<const uint32_t> corpus_;
  int order_, bits_, packed_;
  std::vector<uint32_t> positions_;
  std::vector<uint8_t> shared_;
  std::vector<Keyed> keyed_, spare_;
};

}  // namespace ctckit
