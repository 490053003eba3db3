// The algorithm. All positions of the corpus are sorted by the words that end there, read backwards (sorted.hpp). Then
// the occurrences of each n-gram of any order are adjacent, and the number of words that neighbors share says where one
// n-gram ends and the next begins. Orders are processed from the lowest. An n-gram is identified by its rank among
// those of its order. If an n-gram ends at position p, its context is the (n−1)-gram that ends at p − 1, and its suffix
// is the (n−1)-gram that ends at p. So an array of ranks by position replaces all lookups.
#include "lm/train.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "lm/builder.hpp"
#include "lm/sorted.hpp"

namespace ctckit {
namespace {

constexpr Discounts fallback{{0.5, 1, 1.5}, true};  // the defaults that lmplz suggests

// The n-grams of one order, sorted; unigrams by their number.
struct Grams {
  std::vector<uint32_t> position;  // a position where it ends
  std::vector<uint32_t> adjusted;  // number of different words before it; its count after <s> and at the highest order
  std::vector<bool> pruned;
  std::vector<float> probability;  // interpolated
  std::vector<float> back_off;     // γ as a context; 0 if it is no context
  uint64_t last_count = 0;         // occurrences of the very last n-gram, see discounts_of; 0 if it has another length
};

struct Sums {
  uint32_t all = 0, pruned = 0;
  std::array<uint32_t, 3> kept{};  // n-grams with a count of 1, 2, 3 or more
};

class Estimator {
 public:
  Estimator(std::span<const uint32_t> corpus, int order, uint32_t vocabulary, const std::vector<uint64_t>& prune)
      : corpus_(corpus), order_(order), vocabulary_(vocabulary), prune_(prune), sorted_(corpus, order, vocabulary) {}

  std::vector<Grams> estimate(std::vector<Discounts>& discounts) {
    std::vector<Grams> orders;
    ranks_.assign(corpus_.begin(), corpus_.end());
    std::vector<uint32_t> next;
    for (int length = 1; length <= order_; ++length) {
      orders.push_back(length == 1 ? unigrams() : longer(length, next));
      discounts.push_back(discounts_of(orders.back()));
      if (length == 1) {
        smooth_unigrams(orders.back(), discounts.back());
      } else {
        smooth(orders[static_cast<size_t>(length - 2)], orders.back(), discounts.back());
        ranks_.swap(next);
      }
    }
    return orders;
  }

 private:
  // Whether an n-gram of this length ends here: it does not reach back beyond <s>.
  bool has(uint32_t position, int length) const {
    for (int k = 1; k < length - 1; ++k) {
      if (corpus_[position - static_cast<uint32_t>(k)] == begin_id) return false;
    }
    return true;
  }

  Grams unigrams() const {
    Grams grams;
    grams.position.assign(vocabulary_, 0);
    grams.adjusted.assign(vocabulary_, 0);
    grams.pruned.assign(vocabulary_, false);
    for (size_t i = 0; i < sorted_.size(); ++i) {
      const uint32_t position = sorted_.position(i), word = corpus_[position];
      grams.position[word] = position;
      if (order_ == 1 || sorted_.shared(i) <= 1) ++grams.adjusted[word];
      if (word == vocabulary_ - 1) ++grams.last_count;
    }
    return grams;
  }

  Grams longer(int length, std::vector<uint32_t>& ranks) const {
    Grams grams;
    ranks.assign(corpus_.size(), 0);
    const auto back = static_cast<uint32_t>(length - 1);
    const uint64_t threshold = prune_[std::min(prune_.size(), static_cast<size_t>(length)) - 1];
    uint64_t seen = 0;
    const auto close = [&] {
      if (!grams.position.empty()) grams.pruned.push_back(seen <= threshold);
    };
    for (size_t i = 0; i < sorted_.size(); ++i) {
      const uint32_t position = sorted_.position(i);
      if (!has(position, length)) continue;
      if (grams.position.empty() || sorted_.shared(i) < length) {
        close();
        grams.position.push_back(position);
        grams.adjusted.push_back(0);
        seen = 0;
      }
      ++seen;
      const bool counted = length == order_ || corpus_[position - back] == begin_id;
      if (counted || sorted_.shared(i) <= length) ++grams.adjusted.back();
      ranks[position] = static_cast<uint32_t>(grams.position.size() - 1);
    }
    close();
    if (length < order_ && has(sorted_.position(sorted_.size() - 1), length)) grams.last_count = seen;
    return grams;
  }

  // Equation 26 of Chen and Goodman. As in lmplz, the very last n-gram counts with its plain count, not with the
  // adjusted count. The difference is small, but without it small models would differ from those of lmplz.
  static Discounts discounts_of(const Grams& grams) {
    std::array<double, 5> seen{};
    const auto add = [&](uint64_t count, double times) {
      if (count < seen.size()) seen[count] += times;
    };
    for (const uint32_t count : grams.adjusted) add(count, 1);
    if (grams.last_count) {
      add(grams.adjusted.back(), -1);
      add(grams.last_count, 1);
    }
    if (!seen[1] || !seen[2] || !seen[3]) return fallback;
    Discounts found{{}, false};
    const double y = seen[1] / (seen[1] + 2 * seen[2]);
    for (size_t j = 1; j <= 3; ++j) {
      const auto whole = static_cast<double>(j);
      const double amount = whole - (whole + 1) * y * seen[j + 1] / seen[j];
      // lmplz accepts 0 too; then some contexts have no mass for unseen words.
      if (amount <= 0 || amount > whole) return fallback;
      found.amounts[j - 1] = amount;
    }
    return found;
  }

  static void add(Sums& sums, uint32_t count, bool pruned) {
    sums.all += count;
    if (pruned) {
      sums.pruned += count;
    } else if (count) {
      ++sums.kept[std::min<size_t>(count, 3) - 1];
    }
  }

  // The mass for shorter contexts: the discounted and the pruned mass.
  static double left_over(const Sums& sums, const Discounts& discounts) {
    double mass = static_cast<double>(sums.pruned);
    for (size_t j = 0; j < 3; ++j) mass += discounts.amounts[j] * static_cast<double>(sums.kept[j]);
    return mass / static_cast<double>(sums.all);
  }

  static double discounted(uint32_t count, const Discounts& discounts) {
    return count ? count - discounts.amounts[std::min<size_t>(count, 3) - 1] : 0;
  }

  void smooth_unigrams(Grams& grams, const Discounts& discounts) const {
    Sums sums;
    for (const uint32_t count : grams.adjusted) add(sums, count, false);
    const double uniform = left_over(sums, discounts) / (vocabulary_ - 1);  // <s> is never predicted
    grams.probability.resize(vocabulary_);
    for (uint32_t word = 0; word < vocabulary_; ++word) {
      const double own = discounted(grams.adjusted[word], discounts) / static_cast<double>(sums.all);
      grams.probability[word] = static_cast<float>(own + uniform);
    }
    grams.probability[begin_id] = 1;
  }

  void smooth(Grams& shorter, Grams& grams, const Discounts& discounts) const {
    std::vector<Sums> sums(shorter.adjusted.size());
    for (size_t i = 0; i < grams.position.size(); ++i) {
      add(sums[ranks_[grams.position[i] - 1]], grams.adjusted[i], grams.pruned[i]);
    }
    shorter.back_off.assign(sums.size(), 0);
    for (size_t i = 0; i < sums.size(); ++i) {
      if (sums[i].all) shorter.back_off[i] = static_cast<float>(left_over(sums[i], discounts));
    }
    grams.probability.assign(grams.position.size(), 0);
    for (size_t i = 0; i < grams.position.size(); ++i) {
      if (grams.pruned[i]) continue;
      const uint32_t position = grams.position[i], context = ranks_[position - 1];
      const double own = discounted(grams.adjusted[i], discounts) / static_cast<double>(sums[context].all);
      const double lower = static_cast<double>(shorter.back_off[context]) * shorter.probability[ranks_[position]];
      grams.probability[i] = static_cast<float>(own + lower);
    }
  }

  std::span<const uint32_t> corpus_;
  int order_;
  uint32_t vocabulary_;
  const std::vector<uint64_t>& prune_;
  Sorted sorted_;
  std::vector<uint32_t> ranks_;  // of the (n−1)-gram that ends at each position
};

float log_or_zero(float value) { return value > 0 ? std::log(value) : 0; }

class Feeder {
 public:
  Feeder(std::span<const uint32_t> corpus, NGramBuilder& builder) : corpus_(corpus), builder_(builder) {}

  void feed(const Grams& grams, int length) {
    length_ = length;
    for (size_t i = 0; i < grams.position.size(); ++i) {
      if (grams.pruned[i]) continue;
      for (int k = length - 1; k >= 0; --k) words_.push_back(corpus_[grams.position[i] - static_cast<uint32_t>(k)]);
      log_probs_.push_back(std::log(grams.probability[i]));
      back_offs_.push_back(grams.back_off.empty() ? 0 : log_or_zero(grams.back_off[i]));
      if (log_probs_.size() == 256) flush();
    }
    flush();
  }

 private:
  void flush() {
    builder_.add(length_, log_probs_.size(), words_.data(), log_probs_.data(), back_offs_.data());
    words_.clear();
    log_probs_.clear();
    back_offs_.clear();
  }

  std::span<const uint32_t> corpus_;
  NGramBuilder& builder_;
  int length_ = 0;
  std::vector<uint32_t> words_;
  std::vector<float> log_probs_, back_offs_;
};

// The length of the UTF-8 character that begins with this byte.
size_t length_of(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace

NGramTrainer::NGramTrainer(int order, std::vector<uint64_t> prune) : order_(order), prune_(std::move(prune)) {
  if (prune_.empty()) prune_.push_back(0);
  for (const char* special : {"<unk>", "<s>", "</s>"}) number(special);
}

uint32_t NGramTrainer::number(std::string_view word) {
  const auto known = numbers_.find(word);
  if (known != numbers_.end()) return known->second;
  const auto added = numbers_.emplace(word, static_cast<uint32_t>(words_.size())).first;
  words_.push_back(added->first);
  return added->second;
}

void NGramTrainer::add(std::string_view text, Unit unit, std::string_view space) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number_;
    if (line.empty()) continue;
    ++lines_;
    corpus_.push_back(begin_id);
    while (!line.empty()) {
      const size_t size =
          unit == Unit::words ? std::min(line.find(' '), line.size()) : std::min(length_of(line.front()), line.size());
      std::string_view word = line.substr(0, size);
      line.remove_prefix(unit == Unit::words ? std::min(size + 1, line.size()) : size);
      if (unit == Unit::characters && word == " ") word = space;
      const uint32_t id = number(word);
      if (id <= end_id) {
        throw FormatError("line " + std::to_string(number_) + ": the text holds " + std::string(word) +
                          ", which is reserved for language models.");
      }
      corpus_.push_back(id);
    }
    corpus_.push_back(end_id);
    if (corpus_.size() > std::numeric_limits<uint32_t>::max() - 2) throw FormatError("the text is too long.");
  }
}

std::shared_ptr<const NGram> NGramTrainer::train(std::vector<Discounts>& discounts) {
  if (!lines_) throw FormatError("there is no text.");
  const auto vocabulary = static_cast<uint32_t>(words_.size());
  std::vector<Grams> orders = Estimator(corpus_, order_, vocabulary, prune_).estimate(discounts);
  NGramBuilder builder(order_);
  std::vector<uint64_t> counts;
  for (const Grams& grams : orders) {
    counts.push_back(static_cast<uint64_t>(std::count(grams.pruned.begin(), grams.pruned.end(), false)));
  }
  builder.reserve(counts);
  const Grams& unigrams = orders.front();
  for (uint32_t word = 0; word < vocabulary; ++word) {
    const float back_off = unigrams.back_off.empty() ? 0 : log_or_zero(unigrams.back_off[word]);
    builder.add_word(words_[word], std::log(unigrams.probability[word]), back_off);
  }
  Feeder feeder(corpus_, builder);
  for (int length = 2; length <= order_; ++length) {
    feeder.feed(orders[static_cast<size_t>(length - 1)], length);
    orders[static_cast<size_t>(length - 1)] = {};
  }
  return builder.finish();
}

}  // namespace ctckit
