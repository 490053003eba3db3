// Conversions between the two layouts of a model.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <span>

#include "core/huge_pages.hpp"
#include "lm/builder.hpp"
#include "lm/compact.hpp"
#include "lm/ordered.hpp"

namespace ctckit {
namespace {

constexpr unsigned most_bits = 57;  // of one packed number

// Finds the codes of floats that take the fewest bits in all, see CompactNGram::Floats.
class FloatCoder {
 public:
  explicit FloatCoder(const std::vector<float>& values) {
    for (const float each : values) stored_.push_back(std::bit_cast<uint32_t>(each));
    std::ranges::sort(stored_);
    stored_.erase(std::unique(stored_.begin(), stored_.end()), stored_.end());
    uint64_t least = ~uint64_t{0};
    Window best;
    for (unsigned bits = 0; bits <= 32; ++bits) {
      const Window window = widest(bits);
      const uint64_t stored = stored_.size() - (window.last - window.first);
      const uint64_t cost = values.size() * bits + stored * 32;
      if (stored > uint64_t{1} << bits || cost >= least) continue;
      least = cost;
      best = window;
      floats_ = {static_cast<uint32_t>(stored), window.first < window.last ? stored_[window.first] : 0, bits};
    }
    stored_.erase(stored_.begin() + static_cast<ptrdiff_t>(best.first),
                  stored_.begin() + static_cast<ptrdiff_t>(best.last));
  }

  const CompactNGram::Floats& floats() const { return floats_; }
  const std::vector<uint32_t>& stored() const { return stored_; }
  uint64_t code(float value) const {
    const auto bits = std::bit_cast<uint32_t>(value);
    const auto found = std::ranges::lower_bound(stored_, bits);
    if (found != stored_.end() && *found == bits) return static_cast<uint64_t>(found - stored_.begin());
    return uint64_t{bits - floats_.base} + floats_.stored;
  }

 private:
  struct Window {
    size_t first = 0, last = 0;
  };

  // The most values whose distances fit into codes of this width, beside the places of all other values.
  Window widest(unsigned bits) const {
    Window best;
    size_t last = 0;
    for (size_t first = 0; first < stored_.size(); ++first) {
      last = std::max(last, first);
      while (last < stored_.size() &&
             uint64_t{stored_[last] - stored_[first]} + stored_.size() - (last - first) <= uint64_t{1} << bits) {
        ++last;
      }
      if (last - first > best.last - best.first) best = {first, last};
    }
    return best;
  }

  std::vector<uint32_t> stored_;  // the bits of the floats, sorted
  CompactNGram::Floats floats_{};
};

// Evenly spaced values. Those far from all others, such as the log p of words that never occur, are apart.
std::vector<float> first_means(const std::vector<float>& sorted, size_t wanted) {
  std::vector<float> distinct = sorted, means;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  size_t first = 0, last = distinct.size();
  const auto step = [&] { return (distinct[last - 1] - distinct[first]) / static_cast<float>(wanted - means.size()); };
  while (means.size() < wanted / 4 && last - first > 2) {
    if (distinct[first + 1] - distinct[first] > 2 * step()) {
      means.push_back(distinct[first++]);
    } else if (distinct[last - 1] - distinct[last - 2] > 2 * step()) {
      means.push_back(distinct[--last]);
    } else {
      break;
    }
  }
  const float width = step();
  for (size_t k = 0; means.size() < wanted; ++k) {
    means.push_back(distinct[first] + (static_cast<float>(k) + 0.5f) * width);
  }
  std::ranges::sort(means);
  return means;
}

// Replaces finite values but 0 by the nearest of 2^bits − 2 values: evenly spaced ones at first, then, round by round, the
// means of the values that they replace (Lloyd 1982, Least squares quantization in PCM).
void quantize(std::vector<float>& values, int bits) {
  constexpr int rounds = 20;
  const auto is_replaced = [](float each) { return std::isfinite(each) && each != 0; };
  std::vector<float> sorted;
  std::ranges::copy_if(values, std::back_inserter(sorted), is_replaced);
  std::ranges::sort(sorted);
  const size_t wanted = (size_t{1} << bits) - 2;
  if (sorted.size() <= wanted) return;
  std::vector<double> sums(1);  // of the first values
  for (const float each : sorted) sums.push_back(sums.back() + static_cast<double>(each));
  std::vector<float> means = first_means(sorted, wanted), borders(wanted - 1);
  for (int round = 0; round < rounds; ++round) {
    for (size_t k = 0; k + 1 < wanted; ++k) borders[k] = means[k] + (means[k + 1] - means[k]) / 2;
    size_t first = 0;
    for (size_t k = 0; k < wanted; ++k) {
      const auto end = k + 1 < wanted ? std::ranges::lower_bound(sorted, borders[k]) : sorted.end();
      const auto last = static_cast<size_t>(end - sorted.begin());
      if (first < last) means[k] = static_cast<float>((sums[last] - sums[first]) / static_cast<double>(last - first));
      first = last;
    }
  }
  for (float& each : values) {
    if (is_replaced(each)) each = means[static_cast<size_t>(std::ranges::upper_bound(borders, each) - borders.begin())];
  }
}

class Compactor {
 public:
  Compactor(const NGram& model, const Compacting& how) : model_(model), n_grams_(ordered(model)) {
    header_.order = static_cast<uint32_t>(model.order());
    header_.words = model.size();
    header_.unknown = model.unknown();
    header_.begin = model.begin();
    header_.end = model.end();
    header_.states = n_grams_.states.size();
    if (header_.words <= how.most_filtered) filters_.resize(header_.states);
    header_.filters = filters_.size();
    header_.first[1] = 1;
    for (uint32_t word = 0; word < model.size(); ++word) header_.name_bytes += model.word(word).size();
    take_n_grams();
    take_states();
    if (how.quantized_bits > 0) {
      quantize(log_probs_, how.quantized_bits);
      quantize(back_offs_, how.quantized_bits);
    }
  }

  std::shared_ptr<const CompactNGram> result() {
    const FloatCoder log_probs(log_probs_), back_offs(back_offs_);
    header_.log_probs = log_probs.floats();
    header_.back_offs = back_offs.floats();
    header_.link_bits = static_cast<uint32_t>(std::bit_width(links_.empty() ? 0 : *std::ranges::max_element(links_)));
    const uint64_t room = header_.states * header_.words;
    header_.low_bits =
        std::min(most_bits, keys_.empty() ? static_cast<unsigned>(std::bit_width(room))
                                          : static_cast<unsigned>(std::bit_width(room / keys_.size())) - 1);
    if (keys_.size() + header_.runs() > BitVector::most_bits || log_probs_.size() > BitVector::most_bits ||
        header_.name_bytes + header_.words > BitVector::most_bits) {
      throw FormatError("the model is too large for ctckit's own format.");
    }
    const CompactNGram::Sections at = CompactNGram::sections(header_);
    header_.bytes = at.bytes;
    memory_ = zeroed_memory(at.bytes);
    std::memcpy(memory_.get(), &header_, sizeof header_);
    write_floats(log_probs, at.stored, log_probs_, at.log_probs);
    write_floats(back_offs, at.stored + log_probs.stored().size() * sizeof(float), back_offs_, at.back_offs);
    write_packed(at.links, links_, header_.link_bits);
    std::ranges::copy(std::as_bytes(std::span(filters_)), memory_.get() + at.filters);
    write_keys(at);
    for (size_t i = 0; i < owners_.size(); ++i) put_bits(memory_.get() + at.owners, i, owners_[i]);
    BitVector::index(memory_.get() + at.owners, header_.owners(), 0);
    write_names(at);
    return std::make_shared<const CompactNGram>(memory_);
  }

 private:
  void take_n_grams() {
    uint32_t next = 1;
    const auto take = [&](float log_prob, uint32_t state) {
      log_probs_.push_back(log_prob);
      const bool is_owner = next < header_.states && n_grams_.states[next] == state;
      next += is_owner;
      owners_.push_back(is_owner);
    };
    const auto end_level = [&](size_t length, size_t count) {
      header_.counts[length - 1] = count;
      for (size_t rest = length + 1; rest < header_.first.size(); ++rest) header_.first[rest] = next;
    };
    for (uint32_t word = 0; word < model_.size(); ++word) {
      take(static_cast<float>(model_.unigram(word)), model_.unigram_state(word));
    }
    end_level(1, model_.size());
    for (size_t length = 2; length < n_grams_.n_grams.size(); ++length) {
      for (const NGram::Slot* each : n_grams_.n_grams[length]) {
        const uint32_t context = n_grams_.ranks[Ordered::context(*each)];
        const uint64_t key = uint64_t{context} * model_.size() + Ordered::word(*each);
        if (!keys_.empty() && key <= keys_.back()) damaged_model();
        keys_.push_back(key);
        if (!filters_.empty()) filters_[context] |= CompactNGram::by_bit(Ordered::word(*each));
        take(each->log_prob, each->state);
      }
      end_level(length, n_grams_.n_grams[length].size());
    }
    if (next != header_.states) damaged_model();
    owners_.resize(header_.owners());
  }

  void take_states() {
    for (size_t rank = 1; rank < n_grams_.states.size(); ++rank) {
      const uint32_t state = n_grams_.states[rank];
      back_offs_.push_back(model_.back_off(state));
      if (rank >= header_.first[2]) links_.push_back(n_grams_.ranks[model_.shorter(state)]);
    }
  }

  void write_floats(const FloatCoder& coder, size_t stored_at, const std::vector<float>& values, size_t at) {
    if (!coder.stored().empty()) {
      std::memcpy(memory_.get() + stored_at, coder.stored().data(), coder.stored().size() * sizeof(float));
    }
    for (size_t i = 0; i < values.size(); ++i) {
      put_bits(memory_.get() + at, i * coder.floats().bits, coder.code(values[i]));
    }
  }
  void write_packed(size_t at, const std::vector<uint32_t>& numbers, unsigned bits) {
    for (size_t i = 0; i < numbers.size(); ++i) put_bits(memory_.get() + at, i * bits, numbers[i]);
  }
  void write_keys(const CompactNGram::Sections& at) {
    const uint64_t mask = (uint64_t{1} << header_.low_bits) - 1;
    for (size_t i = 0; i < keys_.size(); ++i) {
      put_bits(memory_.get() + at.lows, i * header_.low_bits, keys_[i] & mask);
      put_bits(memory_.get() + at.highs, (keys_[i] >> header_.low_bits) + i, 1);
    }
    BitVector::index(memory_.get() + at.highs, header_.longer() + header_.runs(), header_.runs());
  }
  void write_names(const CompactNGram::Sections& at) {
    std::byte* to = memory_.get() + at.names;
    uint64_t bit = 0;
    for (uint32_t word = 0; word < model_.size(); ++word, ++bit) {
      const std::string_view name = model_.word(word);
      for (size_t k = 0; k < name.size(); ++k) put_bits(memory_.get() + at.name_ends, bit++, 1);
      if (!name.empty()) std::memcpy(to, name.data(), name.size());
      to += name.size();
    }
    BitVector::index(memory_.get() + at.name_ends, header_.name_bytes + header_.words, header_.words);
    std::vector<uint32_t> sorted(model_.size());
    std::iota(sorted.begin(), sorted.end(), 0u);
    std::ranges::sort(sorted, {}, [&](uint32_t word) { return model_.word(word); });
    write_packed(at.sorted, sorted, CompactNGram::word_bits(header_));
  }

  const NGram& model_;
  Ordered n_grams_;
  CompactNGram::Header header_{};
  std::vector<float> log_probs_, back_offs_;
  std::vector<uint64_t> keys_;
  std::vector<bool> owners_;
  std::vector<uint32_t> links_;
  std::vector<uint8_t> filters_;
  std::shared_ptr<std::byte> memory_;
};

// Gives the n-grams to a builder, many of one length at once.
class Expander {
 public:
  explicit Expander(const CompactNGram& model)
      : model_(model), builder_(model.order()), last_(model.header().states), place_(model.size()) {
    builder_.reserve(model.counts());
    for (uint32_t word = 0; word < model.size(); ++word) {
      const uint32_t state = model.own_state(word);
      if (!builder_.add_word(model.word(word), model.log_prob(word), back_off(state))) damaged_model();
      if (state != 0) last_[state] = {0, word, 1};
    }
    if (builder_.find("<s>") == NGramBuilder::none || builder_.find("</s>") == NGramBuilder::none) damaged_model();
  }

  std::shared_ptr<const NGram> result() {
    model_.for_each_longer([&](uint64_t place, uint64_t context, uint32_t word) { add(place, context, word); });
    flush();
    return builder_.finish();
  }

 private:
  struct Last {
    uint32_t context, word;
    int length;
  };

  float back_off(uint32_t state) const { return state != 0 ? model_.back_off(state) : 0; }

  void add(uint64_t place, uint64_t context, uint32_t word) {
    if (place != place_++ || context == 0 || context >= last_.size()) damaged_model();
    const int length = last_[context].length + 1;
    if (length < std::max(length_, 2) || length > model_.order()) damaged_model();
    if (length > length_) flush();
    length_ = length;
    const uint32_t state = model_.own_state(place);
    if (state != 0) last_[state] = {static_cast<uint32_t>(context), word, length};
    const size_t end = words_.size() + static_cast<size_t>(length);
    words_.resize(end);
    words_[end - 1] = word;
    auto before = static_cast<uint32_t>(context);
    for (int k = 2; k <= length; ++k, before = last_[before].context)
      words_[end - static_cast<size_t>(k)] = last_[before].word;
    log_probs_.push_back(model_.log_prob(place));
    back_offs_.push_back(back_off(state));
  }

  void flush() {
    if (builder_.add(length_, log_probs_.size(), words_.data(), log_probs_.data(), back_offs_.data()) <
        log_probs_.size()) {
      damaged_model();
    }
    words_.clear();
    log_probs_.clear();
    back_offs_.clear();
  }

  const CompactNGram& model_;
  NGramBuilder builder_;
  std::vector<Last> last_;  // the last word of each state, the state before it, and how many words it has
  uint64_t place_;
  int length_ = 0;
  std::vector<uint32_t> words_;
  std::vector<float> log_probs_, back_offs_;
};

}  // namespace

std::shared_ptr<const CompactNGram> compacted(const NGram& model, const Compacting& how) {
  return Compactor(model, how).result();
}

std::shared_ptr<const NGram> expanded(const CompactNGram& model) { return Expander(model).result(); }

}  // namespace ctckit
