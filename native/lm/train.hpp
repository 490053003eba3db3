// Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998; Heafield et al. 2013), as KenLM's lmplz does it.
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

// Discounts of one order, for adjusted counts of 1, 2, and 3 or more.
struct Discounts {
  std::array<double, 3> amounts;
  bool fallback;  // the counts of counts gave none: too little text
};

enum class Unit { words, characters };

class NGramTrainer {
 public:
  // prune[n − 1]: n-grams seen so often or less are left out; missing entries count as the last one.
  NGramTrainer(int order, std::vector<uint64_t> prune);

  // Lines that end in \n, of UTF-8: words between single spaces, or characters, of which a space becomes `space`.
  // Lines without any are left out. FormatError where a word is <s>, </s> or <unk>; says the line of all.
  void add(std::string_view text, Unit unit, std::string_view space);

  uint64_t lines() const { return lines_; }  // with something in them
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
