// Reads ARPA files: a table of counts, then a section for each order, with one n-gram per line:
//
//     log₁₀ p <tab> word … word [<tab> log₁₀ back-off]
//
// Any lines may precede the table. A log-probability may be −∞, "-inf".
// The reader trusts nothing in the file. It compares each count with the number of remaining bytes before it allocates
// memory, and later with the number of lines.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "lm/builder.hpp"
#include "lm/io.hpp"

namespace ctckit {
namespace {

constexpr size_t block = 64;  // n-grams that are looked up together, to overlap their cache misses
constexpr double nats = 2.302585092994045684;
constexpr size_t quoted = 60;
constexpr double largest_log10 = 1e30;  // larger numbers might not be a finite float in nats

// Whether the bytes are UTF-8, without surrogates and overlong forms.
bool is_text(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4 || i + more >= bytes.size()) return false;
    for (size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(bytes[i + k]) & 0xC0) != 0x80) return false;
    }
    const auto second = static_cast<unsigned char>(bytes[i + 1]);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
        (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

std::string quote(std::string_view text) {
  size_t size = std::min(text.size(), quoted);
  const bool cut = size < text.size();
  if (cut) {  // cut between two characters
    while (size && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  }
  std::string shown(text.substr(0, size));
  std::replace_if(shown.begin(), shown.end(), [](char each) { return static_cast<unsigned char>(each) < ' '; }, ' ');
  if (!is_text(shown)) {
    const auto strange = [](char each) { return static_cast<unsigned char>(each) >= 0x80; };
    std::replace_if(shown.begin(), shown.end(), strange, '?');
  }
  return '"' + shown + (cut ? "…\"" : "\"");
}

bool blank(char each) { return each == ' ' || each == '\t'; }
bool digit(char each) { return each >= '0' && each <= '9'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (blank(text.back()) || text.back() == '\r')) text.remove_suffix(1);
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  return text;
}

double power_of_ten(int exponent) {
  static constexpr std::array<double, 23> exact{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  return exponent < 23 ? exact[static_cast<size_t>(exponent)] : std::pow(10.0, exponent);
}

// Parses a decimal number up to a blank or the end and advances `from`. Returns false if there is none. The last digits
// of the double may be wrong; the result becomes a float.
bool parse_number(const char*& from, const char* end, double& value) {
  const char* at = from;
  const bool negative = at < end && *at == '-';
  if (at < end && (*at == '-' || *at == '+')) ++at;
  uint64_t digits = 0;
  int scale = 0, seen = 0;
  const auto take = [&](int step) {
    for (; at < end && digit(*at); ++at, ++seen) {
      if (digits < std::numeric_limits<uint64_t>::max() / 10 - 1) {
        digits = digits * 10 + static_cast<uint64_t>(*at - '0');
        scale += step;
      } else {
        scale += step + 1;
      }
    }
  };
  take(0);
  if (at < end && *at == '.') {
    ++at;
    take(-1);
  }
  if (!seen) return false;
  if (at < end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at < end && *at == '+') ++at;
    int exponent = 0;
    const auto [rest, error] = std::from_chars(at, end, exponent);
    if (error != std::errc() || std::abs(exponent) > 1000) return false;
    at = rest;
    scale += exponent;
  }
  if (at < end && !blank(*at)) return false;
  scale = std::clamp(scale, -400, 400);
  value = static_cast<double>(digits);
  value = scale < 0 ? value / power_of_ten(-scale) : value * power_of_ten(scale);
  if (negative) value = -value;
  from = at;
  return true;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  std::shared_ptr<const NGram> read() {
    const std::vector<uint64_t> counts = read_counts();
    NGramBuilder builder(static_cast<int>(counts.size()));
    builder.reserve(counts);
    builder_ = &builder;
    order_ = static_cast<int>(counts.size());
    for (int length = 1; length <= order_; ++length) read_section(length, counts[static_cast<size_t>(length - 1)]);
    read_end();
    return builder.finish();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError("line " + std::to_string(number_) + ": " + what);
  }

  // Reads the next line without its end. Returns false at the end of the text.
  bool next(std::string_view& line) {
    if (at_ >= end_) return false;
    const auto* stop = static_cast<const char*>(std::memchr(at_, '\n', static_cast<size_t>(end_ - at_)));
    const bool whole = stop != nullptr;
    if (!whole) stop = end_;
    line = {at_, static_cast<size_t>(stop - at_)};
    at_ = whole ? stop + 1 : end_;
    ++number_;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return true;
  }

  // Reads the next line that is not empty, trimmed.
  std::string_view next_filled(const std::string& expected) {
    std::string_view line;
    while (next(line)) {
      if (!(line = trimmed(line)).empty()) return line;
    }
    fail("the file ends here; expected " + expected + ". Is it truncated?");
  }

  // Reads up to \data\. Other programs write comments and prose before it.
  void skip_preamble() {
    std::string_view first = next_filled("\\data\\");
    if (first.starts_with("\xEF\xBB\xBF")) first.remove_prefix(3);
    const uint64_t number = number_;
    for (std::string_view line = first; trimmed(line) != "\\data\\";) {
      if (next(line)) continue;
      number_ = number;
      fail("expected \\data\\, found " + quote(first) +
           ", and no line after it is \\data\\. This is not an ARPA file.");
    }
  }

  std::vector<uint64_t> read_counts() {
    skip_preamble();
    std::string_view line;
    std::vector<uint64_t> counts;
    for (;;) {
      const char* const before = at_;
      line = next_filled("\"ngram N=count\" or \\1-grams:");
      if (line.front() == '\\') {
        at_ = before;
        --number_;
        break;
      }
      counts.push_back(read_count(line, counts.size() + 1));
    }
    if (counts.empty()) fail("no \"ngram 1=count\" after \\data\\.");
    rewind_blank_lines();
    return counts;
  }

  // next_filled may have skipped empty lines before the line that was put back. They will be counted again.
  void rewind_blank_lines() {
    const char* look = at_;
    while (look < end_ && (blank(*look) || *look == '\r' || *look == '\n')) {
      if (*look++ == '\n') --number_;
    }
  }

  uint64_t read_count(std::string_view line, size_t length) {
    std::string_view rest = line;
    uint64_t named = 0, count = 0;
    const auto number = [&](uint64_t& value) {
      rest = trimmed(rest);
      const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
      if (error != std::errc()) fail("expected \"ngram N=count\", found " + quote(line) + ".");
      rest.remove_prefix(static_cast<size_t>(stop - rest.data()));
    };
    if (!rest.starts_with("ngram")) fail("expected \"ngram N=count\", found " + quote(line) + ".");
    rest.remove_prefix(5);
    number(named);
    rest = trimmed(rest);
    if (rest.empty() || rest.front() != '=') fail("expected \"ngram N=count\", found " + quote(line) + ".");
    rest.remove_prefix(1);
    number(count);
    if (!rest.empty()) fail("expected \"ngram N=count\", found " + quote(line) + ".");
    if (named != length) {
      fail("expected the count of " + std::to_string(length) + "-grams, found that of " + std::to_string(named) +
           "-grams.");
    }
    if (length > NGram::max_order) fail("the order is above " + std::to_string(NGram::max_order) + ".");
    // The shortest line has a digit, a blank and a letter for each word, and a line end.
    const uint64_t left = static_cast<uint64_t>(end_ - at_), shortest = 2 + 2 * length;
    if (declared_ > left || count > (left - declared_) / shortest) {
      fail(std::to_string(count) + " " + std::to_string(length) + "-grams are declared; the " + std::to_string(left) +
           " bytes that follow cannot hold them. Is the file truncated?");
    }
    declared_ += count * shortest;
    if (count > std::numeric_limits<uint32_t>::max() / 8) fail("more n-grams than this program can number.");
    return count;
  }

  void read_section(int length, uint64_t count) {
    const std::string title = std::string("\\") + std::to_string(length) + "-grams:";
    const std::string_view line = next_filled(title);
    if (line != title) {
      const std::string before =
          length == 1 ? std::string() : " Are there more " + std::to_string(length - 1) + "-grams than \\data\\ says?";
      fail("expected " + title + ", found " + quote(line) + "." + before);
    }
    length_ = length;
    if (length == 1) {
      for (uint64_t i = 0; i < count; ++i) read_word(i, count);
      for (const char* special : {"<s>", "</s>"}) {
        if (builder_->find(special) == NGramBuilder::none) {
          fail(std::string("the 1-grams lack ") + special + ", which every model needs.");
        }
      }
      return;
    }
    words_.resize(block * static_cast<size_t>(length));
    names_.resize(words_.size());
    hashes_.resize(words_.size());
    for (uint64_t done = 0; done < count;) done += read_block(done, count);
  }

  // Reads a line of a section.
  std::string_view entry(uint64_t index, uint64_t count) {
    std::string_view line;
    const auto declared = [&] {
      return std::to_string(index) + " " + std::to_string(length_) + "-grams; \\data\\ says " + std::to_string(count) +
             ".";
    };
    if (!next(line)) fail("the file ends after " + declared() + " Is it truncated?");
    if (trimmed(line).empty() || line.front() == '\\') fail("the section ends after " + declared());
    return line;
  }

  // Reads a number; −∞ where `infinite` allows it, written "-inf" or too large for a float, as KenLM reads it.
  float log_of(const char*& from, const char* end, const char* what, bool infinite) {
    double value;
    const char* const first = from;
    const char* stop = first;
    while (stop < end && !blank(*stop)) ++stop;
    const std::string_view text(first, static_cast<size_t>(stop - first));
    if (infinite && text == "-inf") {
      from = stop;
      return -std::numeric_limits<float>::infinity();
    }
    const bool is_number = parse_number(from, end, value);
    if (is_number && infinite && value < -largest_log10) return -std::numeric_limits<float>::infinity();
    if (!is_number || !(std::abs(value) <= largest_log10)) {
      fail(std::string("the ") + what + " is " + quote(text) + "; expected a finite number" +
           (infinite ? " or -inf." : "."));
    }
    return static_cast<float>(value * nats);
  }

  float log_prob(const char*& from, const char* end) {
    while (from < end && blank(*from)) ++from;
    const float value = log_of(from, end, "log-probability", true);
    if (value > 0) fail("the log-probability is above 0.");
    return value;
  }

  std::string_view name(const char*& from, const char* end) {
    while (from < end && blank(*from)) ++from;
    const char* const first = from;
    while (from < end && !blank(*from)) ++from;
    if (from == first) fail("expected " + std::to_string(length_) + " words after the log-probability.");
    return {first, static_cast<size_t>(from - first)};
  }

  float back_off(const char* from, const char* end, std::string_view line) {
    while (from < end && blank(*from)) ++from;
    if (from == end) return 0;
    const float value = log_of(from, end, "back-off", false);
    while (from < end && blank(*from)) ++from;
    if (from != end) {
      fail("expected a log-probability, " + std::to_string(length_) + " words and at most a back-off, found " +
           quote(line) + ".");
    }
    if (length_ == order_ && value != 0) fail("a back-off in the highest order.");
    return value;
  }

  void read_word(uint64_t index, uint64_t count) {
    const std::string_view line = entry(index, count);
    const char *from = line.data(), *const end = from + line.size();
    const float log_prob = this->log_prob(from, end);
    std::string_view word = name(from, end);
    const float back_off = this->back_off(from, end, line);
    if (!is_text(word)) fail("the word is not UTF-8.");
    if (word == "<UNK>") word = "<unk>";  // the spelling of older tools
    if (!builder_->add_word(word, log_prob, back_off)) fail("the 1-gram " + quote(word) + " occurs twice.");
  }

  uint64_t read_block(uint64_t done, uint64_t count) {
    const auto length = static_cast<size_t>(length_);
    const size_t taken = std::min<uint64_t>(block, count - done);
    const uint64_t before = number_;
    for (size_t i = 0; i < taken; ++i) {
      const std::string_view line = entry(done + i, count);
      const char *from = line.data(), *const end = from + line.size();
      log_probs_[i] = log_prob(from, end);
      for (size_t k = i * length; k < (i + 1) * length; ++k) {
        names_[k] = name(from, end);
        hashes_[k] = NGram::hash(names_[k]);
        builder_->prefetch(hashes_[k]);
      }
      back_offs_[i] = back_off(from, end, line);
    }
    for (size_t k = 0; k < taken * length; ++k) {
      words_[k] = builder_->find(names_[k], hashes_[k]);
      if (words_[k] == NGramBuilder::none) words_[k] = unknown_word(names_[k], before + 1 + k / length);
    }
    const size_t added = builder_->add(length_, taken, words_.data(), log_probs_.data(), back_offs_.data());
    if (added < taken) {
      number_ = before + 1 + added;
      fail("the same n-gram occurs twice.");
    }
    return taken;
  }

  uint32_t unknown_word(std::string_view word, uint64_t line) {
    const uint32_t unknown = builder_->find("<unk>");
    if ((word == "<UNK>" || word == "<unk>") && unknown != NGramBuilder::none) return unknown;
    number_ = line;
    fail("the word " + quote(word) + " is not among the 1-grams.");
  }

  void read_end() {
    const std::string_view line = next_filled("\\end\\");
    if (line != "\\end\\") {
      fail("expected \\end\\, found " + quote(line) + ". Are there more " + std::to_string(order_) +
           "-grams, or higher orders, than \\data\\ says?");
    }
    std::string_view rest;
    while (next(rest)) {
      if (!trimmed(rest).empty()) fail("text after \\end\\: " + quote(rest) + ".");
    }
  }

  const char* at_;
  const char* end_;
  uint64_t number_ = 0;    // of the last line read
  uint64_t declared_ = 0;  // least number of bytes of the n-grams that \data\ declares
  int length_ = 0, order_ = 0;
  NGramBuilder* builder_ = nullptr;
  std::array<float, block> log_probs_{}, back_offs_{};
  std::vector<std::string_view> names_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> words_;
};

}  // namespace

std::shared_ptr<const NGram> ngram_from_arpa(std::string_view text) { return Reader(text).read(); }

}  // namespace ctckit
