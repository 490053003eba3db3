// Writes ARPA text, sorted by the numbers of the words: the same n-grams always give the same text.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "lm/io.hpp"
#include "lm/ordered.hpp"

namespace ctckit {
namespace {

constexpr double log10_of_e = 0.43429448190325182765;

class Writer {
 public:
  explicit Writer(const NGram& model) : model_(model), order_(model.order()), n_grams_(ordered(model)) {}

  std::string text() {
    text_ = "\\data\\\n";
    for (int length = 1; length <= order_; ++length) {
      const size_t count = length == 1 ? model_.size() : n_grams_.n_grams[static_cast<size_t>(length)].size();
      text_ += "ngram " + std::to_string(length) + "=" + std::to_string(count) + "\n";
    }
    for (int length = 1; length <= order_; ++length) {
      text_ += "\n\\" + std::to_string(length) + "-grams:\n";
      if (length == 1) {
        write_words();
      } else {
        for (const NGram::Slot* each : n_grams_.n_grams[static_cast<size_t>(length)]) write(*each, length);
      }
    }
    text_ += "\n\\end\\\n";
    return std::move(text_);
  }

 private:
  // Whether this n-gram has its own state. Else it shares the state of a shorter context.
  bool is_own(const NGram::Slot& slot, int length) const { return model_.length(slot.state) == length; }

  // log₁₀ with seven decimals, which is finer than a float; "-inf" for −∞.
  void write_log(float nats) {
    if (nats == -std::numeric_limits<float>::infinity()) {
      text_ += "-inf";
      return;
    }
    const double value = nats * log10_of_e;
    if (!(std::abs(value) < 1e9)) damaged_model();
    auto digits = static_cast<uint64_t>(std::llround(std::abs(value) * 1e7));
    if (value < 0 && digits) text_ += '-';
    text_ += std::to_string(digits / 10'000'000);
    if (!(digits %= 10'000'000)) return;
    std::string fraction = std::to_string(digits);
    fraction.insert(0, 7 - fraction.size(), '0');
    fraction.resize(fraction.find_last_not_of('0') + 1);
    text_ += '.';
    text_ += fraction;
  }

  void write_back_off(uint32_t state, bool own, int length) {
    if (length < order_) {
      text_ += '\t';
      write_log(own ? model_.back_off(state) : 0);
    }
    text_ += '\n';
  }

  void write_words() {
    for (uint32_t each = 0; each < model_.size(); ++each) {
      write_log(model_.unigram(each));
      text_ += '\t';
      text_ += model_.word(each);
      write_back_off(model_.unigram_state(each), true, 1);
    }
  }

  void write(const NGram::Slot& slot, int length) {
    write_log(slot.log_prob);
    text_ += '\t';
    words_.assign(1, Ordered::word(slot));
    uint32_t state = Ordered::context(slot);
    while (state) {
      if (static_cast<int>(words_.size()) >= length) damaged_model();
      words_.push_back(n_grams_.last[state].word);
      state = n_grams_.last[state].context;
    }
    if (static_cast<int>(words_.size()) != length) damaged_model();
    for (size_t i = words_.size(); i-- > 0;) {
      text_ += model_.word(words_[i]);
      if (i) text_ += ' ';
    }
    write_back_off(slot.state, is_own(slot, length), length);
  }

  const NGram& model_;
  int order_;
  Ordered n_grams_;
  std::vector<uint32_t> words_;
  std::string text_;
};

}  // namespace

std::string arpa_text(const NGram& model) { return Writer(model).text(); }

}  // namespace ctckit
