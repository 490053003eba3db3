#include "lm/kenlm/listing.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <unordered_map>

#include "lm/builder.hpp"

namespace ctckit::kenlm {
namespace {

constexpr double nats = 2.302585092994045684;
constexpr double largest_log10 = 1e30;
constexpr size_t block = 1024;  // n-grams that are given to the builder together

// Builds an automaton from n-grams that are given word by word, the last word first, shorter ones first.
class Listing {
 public:
  explicit Listing(const Model& model) : model_(model), order_(model.order()), builder_(model.order()) {}

  void add_word(uint32_t word, const Weights& weights) {
    const std::string_view name = model_.word(word);
    if (name.empty()) {
      throw FormatError("the names of some of its words are missing, so its n-grams cannot be listed: the file holds " +
                        std::to_string(model_.size()) + " words. Pass all of them as unigrams.");
    }
    if (!builder_.add_word(name, log_prob(weights.log_prob), back_off(weights.back_off))) {
      damaged("a word occurs twice");
    }
  }
  void begin(int length) {
    length_ = length;
    words_.clear();
    log_probs_.clear();
    back_offs_.clear();
  }
  void add(const std::vector<uint32_t>& last_first, const Weights& weights) {
    words_.insert(words_.end(), last_first.rbegin(), last_first.rend());
    log_probs_.push_back(log_prob(weights.log_prob));
    back_offs_.push_back(length_ < order_ ? back_off(weights.back_off) : 0);
    if (log_probs_.size() == block) flush();
  }
  void flush() {
    if (builder_.add(length_, log_probs_.size(), words_.data(), log_probs_.data(), back_offs_.data()) <
        log_probs_.size()) {
      damaged("an n-gram occurs twice");
    }
    begin(length_);
  }
  std::shared_ptr<const NGram> finish() { return builder_.finish(); }

 private:
  static float log_prob(float log10) {
    if (log10 == -std::numeric_limits<float>::infinity()) return log10;
    if (!(log10 <= 0 && log10 >= -largest_log10)) damaged("a log-probability is out of range");
    return static_cast<float>(static_cast<double>(log10) * nats);
  }
  static float back_off(float log10) {
    if (!(log10 <= largest_log10 && log10 >= -largest_log10)) damaged("a back-off is out of range");
    return static_cast<float>(static_cast<double>(log10) * nats);
  }

  const Model& model_;
  int order_, length_ = 1;
  NGramBuilder builder_;
  std::vector<uint32_t> words_;
  std::vector<float> log_probs_, back_offs_;
};

void check_words(const Model& model) {
  if (model.begin() == model.unknown() || model.end() == model.unknown()) {
    throw FormatError("it has no <s> or no </s>, which a model in other formats needs.");
  }
}

template <class Tables>
void add_words(Listing& listing, const Model& model, const Tables& tables) {
  for (uint32_t word = 0; word < model.size(); ++word) {
    typename Tables::Node node;
    listing.add_word(word, tables.unigram(word, node));
  }
}

// Visits the n-grams of one length below a node, whose words are given.
template <class Visit>
void walk(const Trie& tables, const Trie::Node& node, int length, std::vector<uint32_t>& words, uint32_t vocabulary,
          Visit&& visit) {
  const int next = static_cast<int>(words.size()) + 1;
  for (uint64_t place = node.first; place < node.last; ++place) {
    Trie::Node below;
    const Weights weights = tables.entry(next, place, below);
    words.push_back(tables.word_at(next, place));
    if (words.back() >= vocabulary) damaged("an n-gram has an unknown word");
    if (next == length) {
      visit(weights);
    } else {
      walk(tables, below, length, words, vocabulary, visit);
    }
    words.pop_back();
  }
}

}  // namespace

std::shared_ptr<const NGram> listed_model(const Model& model, const Trie& tables) {
  check_words(model);
  Listing listing(model);
  add_words(listing, model, tables);
  std::vector<uint32_t> words;
  for (int length = 2; length <= model.order(); ++length) {
    listing.begin(length);
    uint64_t seen = 0;
    for (uint32_t word = 0; word < model.size(); ++word) {
      Trie::Node node;
      tables.unigram(word, node);
      words.assign(1, word);
      walk(tables, node, length, words, model.size(), [&](const Weights& weights) {
        // In a damaged file an n-gram may be below several others.
        if (++seen > tables.count(length)) damaged("its pointers overlap");
        listing.add(words, weights);
      });
    }
    if (seen != tables.count(length)) damaged("some of its pointers lead nowhere");
    listing.flush();
  }
  return listing.finish();
}

namespace {

// The n-grams of one length, with their keys; the last word first.
struct Known {
  std::vector<uint64_t> keys;
  std::vector<uint32_t> words;  // (n-grams, length)
  size_t length;

  size_t size() const { return keys.size(); }
  const uint32_t* at(size_t k) const { return words.data() + k * length; }
};

// Tells most keys that a table does not have: one bit for each key, at a place that its bits from `shift` on say.
class Filter {
 public:
  Filter(const Buckets& table, uint64_t bits_of_bucket, unsigned shift)
      : shift_(shift), bits_(std::bit_ceil(bits_of_bucket * table.count() + 64) / 64), mask_(bits_.size() * 64 - 1) {
    for (uint64_t place = 0; place < table.count(); ++place) {
      const uint64_t bit = this->place(loaded<uint64_t>(table.at(place)));
      bits_[bit / 64] |= uint64_t{1} << bit % 64;
    }
  }
  uint64_t place(uint64_t key) const { return key >> shift_ & mask_; }
  bool may_have(uint64_t key) const { return bits_[place(key) / 64] >> place(key) % 64 & 1; }

 private:
  unsigned shift_;
  std::vector<uint64_t> bits_;
  uint64_t mask_;
};

uint64_t used(const Buckets& table) {
  uint64_t count = 0;
  for (uint64_t place = 0; place < table.count(); ++place) count += loaded<uint64_t>(table.at(place)) != 0;
  return count;
}

// Tries all pairs of words: key = last · a xor (first + 1) · b.
Known pairs_of(const Model& model, const Probing& tables) {
  struct Factor {
    uint64_t value;
    uint32_t word;
  };
  Known found{{}, {}, 2};
  const Buckets& table = tables.table(2);
  const Filter small(table, 8, 0), large(table, 64, 28);  // the small one stays in the cache
  std::vector<Factor> firsts;
  for (uint32_t word = 0; word < model.size(); ++word) firsts.push_back({Probing::key(0, word), word});
  // In this order, the small filter is read almost from its beginning to its end, up to a permutation of blocks.
  std::ranges::sort(firsts, {}, [&](const Factor& each) { return small.place(each.value); });
  for (uint32_t last = 0; last < model.size(); ++last) {
    const uint64_t value = last * Probing::node_factor;
    for (const Factor& first : firsts) {
      const uint64_t key = value ^ first.value;
      if (!small.may_have(key) || !large.may_have(key) || key == 0 || !table.find(key)) continue;
      found.keys.push_back(key);
      found.words.insert(found.words.end(), {last, first.word});
    }
  }
  return found;
}

// The n-grams with one word more. Those before the last word are an n-gram of the length before, as those after the first
// word are: tries all such pairs.
Known longer_than(const Known& shorter, const Probing& tables) {
  Known found{{}, {}, shorter.length + 1};
  const Buckets& table = tables.table(static_cast<int>(found.length));
  const auto key_of = [](const uint32_t* words, size_t count) {
    uint64_t key = words[0];
    for (size_t k = 1; k < count; ++k) key = Probing::key(key, words[k]);
    return key;
  };
  std::unordered_map<uint64_t, std::vector<uint32_t>> before;  // words before an n-gram of one word less
  for (size_t k = 0; k < shorter.size(); ++k) {
    before[key_of(shorter.at(k), shorter.length - 1)].push_back(shorter.at(k)[shorter.length - 1]);
  }
  for (size_t k = 0; k < shorter.size(); ++k) {
    const uint32_t* const words = shorter.at(k);
    const auto place = before.find(key_of(words + 1, shorter.length - 1));
    if (place == before.end()) continue;
    for (const uint32_t word : place->second) {
      const uint64_t key = Probing::key(shorter.keys[k], word);
      if (!table.find(key)) continue;
      found.keys.push_back(key);
      found.words.insert(found.words.end(), words, words + shorter.length);
      found.words.push_back(word);
    }
  }
  return found;
}

}  // namespace

std::shared_ptr<const NGram> listed_model(const Model& model, const Probing& tables) {
  check_words(model);
  Listing listing(model);
  add_words(listing, model, tables);
  Known known;
  std::vector<uint32_t> words;
  for (int length = 2; length <= model.order(); ++length) {
    known = length == 2 ? pairs_of(model, tables) : longer_than(known, tables);
    if (const uint64_t all = used(tables.table(length)); known.size() != all) {
      damaged("the words of " + std::to_string(all - std::min<uint64_t>(all, known.size())) + " of its " +
              std::to_string(length) + "-grams cannot be found");
    }
    listing.begin(length);
    for (size_t k = 0; k < known.size(); ++k) {
      words.assign(known.at(k), known.at(k) + length);
      listing.add(words, tables.entry(length, known.keys[k]));
    }
    listing.flush();
  }
  return listing.finish();
}

}  // namespace ctckit::kenlm
