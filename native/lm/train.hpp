// Estimates language models by interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998; Heafield et al.
// 2013), with the same results as KenLM's lmplz.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lm/ngram.hpp"

namespace ctckit {

// The discounts of one order, for adjusted counts of 1, 2, and 3 or more.
struct Discounts {
  std::array<double, 3> amounts;
  bool fallback;  // default discounts: too little text to estimate them
};

enum class Unit { words, characters };

class NGramTrainer {
 public:
  // prune[n − 1]: n-grams with at most this count are left out. Missing entries equal the last one.
  NGramTrainer(int order, std::vector<uint64_t> prune);

  // Adds lines of UTF-8 that end in \n: words between single spaces, or characters, with `space` for a space. Skips
  // empty lines. Throws FormatError with the line number if a word is <s>, </s> or <unk>.
  void add(std::string_view text, Unit unit, std::string_view space);

  uint64_t lines() const { return lines_; }  // lines that are not empty
  uint64_t entries() const { return corpus_.size() - 2 * lines_; }

  std::shared_ptr<const NGram> train(std::vector<Discounts>& discounts);

 private:
  struct Names {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return NGram::hash(name); }
  };

  uint32_t number(std::string_view word);

  int order_;
  std::vector<uint64_t> prune_;
  std::unordered_map<std::string, uint32_t, Names, std::equal_to<>> numbers_;
  std::vector<std::string_view> words_;  // keys of numbers_
  std::vector<uint32_t> corpus_;         // <s> w … w </s> <s> …
  uint64_t lines_ = 0, number_ = 0;
};

}  // namespace ctckit
