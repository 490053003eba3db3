// Random language models compared with dictionaries, then damaged files: ARPA, ctckit's own in both layouts, and KenLM's from the tests'
// golden folder. Runs under the sanitizers.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "core/checksum.hpp"
#include "lm/io.hpp"
#include "lm/kenlm/model.hpp"
#include "lm/ngram.hpp"
#include "lm/train.hpp"

namespace {

using ctckit::BackoffModel;
using ctckit::CompactNGram;
using ctckit::NGram;
using Words = std::vector<std::string>;
using Model = std::shared_ptr<const NGram>;

void expect(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::exit(1);
}

class Random {
 public:
  explicit Random(uint64_t seed) : bits_(seed) {}
  uint64_t below(uint64_t end) { return bits_() % end; }
  bool chance(double share) { return static_cast<double>(below(1'000'000)) < share * 1e6; }
  double between(double low, double high) { return low + (high - low) * static_cast<double>(below(1'000'001)) / 1e6; }

 private:
  std::mt19937_64 bits_;
};

struct Weights {
  double log_prob, back_off;
};
using Dictionary = std::map<Words, Weights>;

Dictionary random_dictionary(Random& random, int order) {
  Words vocabulary{"<unk>", "<s>", "</s>"};
  const uint64_t more = 1 + random.below(6);
  for (uint64_t i = 0; i < more; ++i) {
    vocabulary.push_back(std::string("w").append(1 + random.below(12), 'x').append(std::to_string(i)));
  }
  Dictionary model;
  std::vector<Words> last(1);
  for (int length = 1; length <= order; ++length) {
    std::vector<Words> longer;
    for (const Words& context : last) {
      for (const std::string& word : vocabulary) {
        if (length > 1 && !random.chance(length == 2 ? 0.5 : 0.3)) continue;
        Words words = context;
        words.push_back(word);
        const double back_off = length == order || random.chance(0.3) ? 0 : random.between(-2, 0.5);
        // Some contexts are left out, so that longer n-grams lack their context.
        if (length == 1 || length == order || random.chance(0.8)) model[words] = {random.between(-4, 0), back_off};
        if (longer.size() < 60) longer.push_back(words);
      }
    }
    last = longer;
  }
  return model;
}

std::string arpa(const Dictionary& model, int order) {
  std::vector<std::string> sections(static_cast<size_t>(order));
  std::vector<int> counts(static_cast<size_t>(order));
  for (const auto& [words, weights] : model) {
    std::string line = std::to_string(weights.log_prob) + "\t";
    for (size_t i = 0; i < words.size(); ++i) line.append(i ? " " : "").append(words[i]);
    if (static_cast<int>(words.size()) < order) line.append("\t").append(std::to_string(weights.back_off));
    sections[words.size() - 1] += line + "\n";
    ++counts[words.size() - 1];
  }
  std::string text = "\\data\\\n";
  for (int n = 0; n < order; ++n) {
    text += "ngram " + std::to_string(n + 1) + "=" + std::to_string(counts[static_cast<size_t>(n)]) + "\n";
  }
  for (int n = 0; n < order; ++n) {
    text += "\n\\" + std::to_string(n + 1) + "-grams:\n" + sections[static_cast<size_t>(n)];
  }
  return text + "\n\\end\\\n";
}

double expected(const Dictionary& model, Words context, const std::string& word, size_t order) {
  double back_off = 0;
  while (context.size() > order - 1) context.erase(context.begin());
  for (;;) {
    Words words = context;
    words.push_back(word);
    if (const auto found = model.find(words); found != model.end()) return back_off + found->second.log_prob;
    if (const auto found = model.find(context); found != model.end()) back_off += found->second.back_off;
    context.erase(context.begin());
  }
}

void check_queries(Random& random, const Dictionary& dictionary, const NGram& model, int order) {
  std::vector<std::string> vocabulary;
  for (const auto& each : dictionary) {
    if (each.first.size() == 1) vocabulary.push_back(each.first[0]);
  }
  for (int line = 0; line < 30; ++line) {
    Words context{"<s>"};
    uint32_t state = model.start();
    for (int i = 0; i < 8; ++i) {
      // Half of the queries follow an existing n-gram.
      std::string word = vocabulary[random.below(vocabulary.size())];
      if (random.chance(0.5)) {
        auto any = dictionary.begin();
        std::advance(any, static_cast<long>(random.below(dictionary.size())));
        const Words& words = any->first;
        if (words.size() > 1) {
          state = model.empty();
          context.clear();
          for (size_t k = 0; k + 1 < words.size(); ++k) {
            context.push_back(words[k]);
            state = model.query(state, model.find(words[k])).state;
          }
          word = words.back();
        }
      }
      model.prefetch(state, model.find(word));
      const NGram::Step step = model.query(state, model.find(word));
      const double right = expected(dictionary, context, word, static_cast<size_t>(order)) * std::log(10.0);
      expect(std::abs(step.log_prob - right) < 2e-5,
             "query gives " + std::to_string(step.log_prob) + ", not " + std::to_string(right));
      state = step.state;
      context.push_back(word);
    }
  }
  expect(model.find("never seen") == model.unknown(), "an unknown word");
  expect(model.word(model.find(vocabulary.back())) == vocabulary.back(), "a word's name");
}

// The compact layout gives the same log-probabilities as the other one, to the bit; quantized, nearly the same.
void check_compact(Random& random, const NGram& model, const CompactNGram& compact, double tolerance) {
  expect(compact.counts() == model.counts() && compact.size() == model.size(), "counts in the compact layout");
  expect(compact.unknown() == model.unknown() && compact.begin() == model.begin() && compact.end() == model.end(),
         "special words in the compact layout");
  for (uint32_t word = 0; word < model.size(); ++word) {
    expect(compact.word(word) == model.word(word) && compact.find(model.word(word)) == word,
           "a word in the compact layout");
    expect(std::abs(compact.unigram(word) - model.unigram(word)) <= tolerance, "a 1-gram in the compact layout");
  }
  expect(compact.find("never seen") == compact.unknown(), "an unknown word in the compact layout");
  ctckit::ModelState state = model.first_state(), same = compact.first_state();
  for (int i = 0; i < 500; ++i) {
    if (random.chance(0.1)) state = same = {};
    const auto word =
        static_cast<uint32_t>(random.chance(0.95) ? random.below(model.size()) : random.below(1ull << 32));
    expect(compact.matched(same, word) == model.matched(state, word), "an n-gram in the compact layout");
    const auto right = model.score(state, word), found = compact.score(same, word);
    expect(found.log_prob == right.log_prob || std::abs(found.log_prob - right.log_prob) <= tolerance,
           "a score in the compact layout is " + std::to_string(found.log_prob) + ", not " +
               std::to_string(right.log_prob));
    state = right.state;
    same = found.state;
  }
}

void check_compact(Random& random, const NGram& model) {
  const auto compact = ctckit::compacted(model, {.most_filtered = random.chance(0.5) ? 0 : model.size()});
  check_compact(random, model, *compact, 0);
  const Model again = ctckit::expanded(*compact);
  expect(ctckit::arpa_text(*again) == ctckit::arpa_text(model), "a model that was compacted and expanded");
  // The values of these models are up to log 10⁴ apart, and at most six of them make a score.
  const int bits = 6 + static_cast<int>(random.below(4));
  check_compact(random, model, *ctckit::compacted(model, {.quantized_bits = bits}), 6 * std::log(1e4) / (1 << bits));
}

// Calls every query with any state: answers may be wrong, but nothing is read outside of the memory.
void use(Random& random, const BackoffModel& model) {
  ctckit::ModelState state = model.first_state();
  for (int i = 0; i < 200; ++i) {
    const uint64_t words = random.chance(0.9) ? model.size() : uint64_t{1} << 32;
    const auto word = static_cast<uint32_t>(random.below(words));
    if (random.chance(0.1)) state.parts[0] = static_cast<uint32_t>(random.below(1ull << 32));
    if (const auto* const fast = dynamic_cast<const NGram*>(&model)) fast->prefetch(state.parts[0], word);
    state = model.score(state, word).state;
    (void)model.unigram(word);
    (void)model.look_ahead(word);
    const int matched = model.matched(state, word);
    expect(matched >= 1 && matched <= NGram::max_order + 1, "the length of an n-gram");
    const std::string name(model.word(word));
    (void)model.find(name);
    (void)model.find(std::string(1 + random.below(9), 'x'));
  }
  try {
    if (const auto* const fast = dynamic_cast<const NGram*>(&model)) {
      (void)ctckit::arpa_text(*fast);
      (void)ctckit::compacted(*fast);
    } else if (const auto* const compact = dynamic_cast<const CompactNGram*>(&model)) {
      (void)ctckit::arpa_text(*ctckit::expanded(*compact));
    }
  } catch (const ctckit::FormatError&) {
  }
}

template <class Stored>
std::string file_of(const Stored& model) {
  const auto header = ctckit::file_header(model, "{}");
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  return bytes.append(reinterpret_cast<const char*>(model.data()) + sizeof header,
                      model.header().bytes - sizeof header);
}

template <class Stored>
std::shared_ptr<const Stored> as(const std::shared_ptr<const BackoffModel>& model) {
  auto found = std::dynamic_pointer_cast<const Stored>(model);
  expect(found != nullptr, "the layout of a file");
  return found;
}

class TemporaryFile {
 public:
  TemporaryFile() : path_(name()) {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string write(const std::string& bytes) {
    std::ofstream file(path_, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    expect(file.good(), "writing");
    return path_;
  }
  std::shared_ptr<const BackoffModel> load(const std::string& bytes) { return ctckit::ngram_from_file(write(bytes)); }

 private:
  static std::string name() {
    const std::string random = std::to_string(std::random_device{}());
    return (std::filesystem::temp_directory_path() / ("ctckit-ngram-" + random)).string();
  }

  const std::string path_;
};

void damage_text(Random& random, std::string text) {
  constexpr std::string_view with = "\n\t -.09\\aex=\xff";
  for (uint64_t i = 0; i <= random.below(3); ++i) {
    text.replace(random.below(text.size()), random.below(4), random.below(3), with[random.below(with.size())]);
  }
  if (random.chance(0.2)) text.resize(random.below(text.size() + 1));
  // A copy of exactly this size: the sanitizer reports a read beyond it.
  const std::vector<char> exact(text.begin(), text.end());
  try {
    use(random, *ctckit::ngram_from_arpa({exact.data(), exact.size()}));
  } catch (const ctckit::FormatError&) {
  }
}

template <class Stored>
void damage_file(Random& random, TemporaryFile& file, const std::string& whole) {
  std::string bytes = whole;
  for (uint64_t i = 0; i <= random.below(40); ++i) {
    const size_t at = sizeof(NGram::Header) + random.below(bytes.size() - sizeof(NGram::Header));
    bytes[at] = static_cast<char>(random.chance(0.3) ? 0xff : random.below(256));
  }
  if (random.chance(0.1)) {
    const char with = random.chance(0.5) ? '\x11' : '\xff';
    std::memset(bytes.data() + sizeof(NGram::Header), with, bytes.size() - sizeof(NGram::Header));
  }
  const auto model = as<Stored>(file.load(bytes));
  use(random, *model);
  expect(bytes == whole || !ctckit::is_intact(*model), "damage is found");  // a byte may be replaced by itself
}

// Changes numbers of a header and gives it the right checksum. The body remains.
template <class Stored>
void damage_header(Random& random, TemporaryFile& file, const std::string& whole) {
  std::string bytes = whole;
  typename Stored::Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  constexpr size_t front = offsetof(typename Stored::Header, bytes), end = offsetof(typename Stored::Header, note);
  for (uint64_t i = 0; i <= random.below(3); ++i) {
    const size_t size = random.chance(0.5) ? 4 : 8, at = front + random.below((end - front) / 4) * 4;
    const std::array<uint64_t, 4> numbers{0, ~uint64_t{0}, random.below(100), random.below(1ull << random.below(60))};
    std::memcpy(reinterpret_cast<char*>(&header) + at, &numbers[random.below(numbers.size())],
                std::min(size, end - at));
  }
  header.header_checksum = 0;
  header.header_checksum = ctckit::checksum(reinterpret_cast<const std::byte*>(&header), sizeof header);
  std::memcpy(bytes.data(), &header, sizeof header);
  try {
    use(random, *file.load(bytes));
  } catch (const ctckit::FormatError&) {
  }
}

// A header that claims more states than there are n-grams, whatever the bits that they take, would cost their memory.
void claim_states(TemporaryFile& file, std::string bytes) {
  CompactNGram::Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.states = 0xfffffffe;
  header.filters = header.back_offs.bits = header.link_bits = 0;
  header.low_bits = 57;
  header.bytes = CompactNGram::sections(header).bytes;
  header.header_checksum = 0;
  header.header_checksum = ctckit::checksum(reinterpret_cast<const std::byte*>(&header), sizeof header);
  bytes.resize(header.bytes);
  std::memcpy(bytes.data(), &header, sizeof header);
  bool refused = false;
  try {
    file.load(bytes);
  } catch (const ctckit::FormatError&) {
    refused = true;
  }
  expect(refused, "a header with more states than n-grams is refused");
}

template <class Stored>
void check_file(Random& random, TemporaryFile& file, const Stored& model) {
  const std::string bytes = file_of(model);
  expect(ctckit::is_intact(*as<Stored>(file.load(bytes))), "a file as it was written");
  for (int i = 0; i < 5; ++i) damage_file<Stored>(random, file, bytes);
  if constexpr (std::is_same_v<Stored, CompactNGram>) {
    for (int i = 0; i < 20; ++i) damage_header<Stored>(random, file, bytes);
    claim_states(file, bytes);
  }
}

// --- files of KenLM

using Kenlm = ctckit::kenlm::Model;
using Golden = std::map<std::string, std::string>;  // the content of each file

Golden golden_files() {
  Golden found;
  for (const auto& each : std::filesystem::directory_iterator(CTCKIT_GOLDEN_KENLM)) {
    if (each.path().extension() != ".bin" && each.path().extension() != ".arpa") continue;
    std::ifstream file(each.path(), std::ios::binary);
    found[each.path().filename()] = {std::istreambuf_iterator<char>(file), {}};
  }
  expect(!found.empty(), "the golden files are there");
  return found;
}

// The scores of the ARPA file that a binary file was built from; quantized ones are close.
void check_kenlm(Random& random, const Golden& golden, const std::string& name, const Kenlm& model) {
  const Model arpa = ctckit::ngram_from_arpa(golden.at(name.substr(0, name.find('.')) + ".arpa"));
  const bool quantized = name.find("quantized") != name.npos;
  const Model listed = model.has_names() ? model.listed() : nullptr;
  for (int line = 0; line < 20; ++line) {
    ctckit::ModelState state = model.first_state(), same = arpa->first_state(), third;
    if (listed) third = listed->first_state();
    for (int i = 0; i < 8; ++i) {
      const std::string word(arpa->word(static_cast<uint32_t>(random.below(arpa->size()))));
      const auto found = model.score(state, model.find(word)), right = arpa->score(same, arpa->find(word));
      expect(std::abs(found.log_prob - right.log_prob) < (quantized ? 3 : 2e-5),
             name + " gives " + std::to_string(found.log_prob) + ", not " + std::to_string(right.log_prob));
      if (listed) {
        const double again = listed->score(third, listed->find(word)).log_prob;
        expect(std::abs(again - found.log_prob) < 2e-5, name + " is listed with other n-grams");
        third = listed->score(third, listed->find(word)).state;
      }
      state = found.state;
      same = right.state;
    }
  }
}

// As above: whatever is in the file, and whatever the state.
void use(Random& random, const Kenlm& model) {
  ctckit::ModelState state = model.first_state();
  for (int i = 0; i < 200; ++i) {
    const uint64_t words = random.chance(0.9) ? model.size() : uint64_t{1} << 32;
    const auto word = static_cast<uint32_t>(random.below(words));
    if (random.chance(0.1)) {
      for (uint32_t& part : state.parts) part = static_cast<uint32_t>(random.below(1ull << 32));
    }
    const auto scored = model.score(state, word);
    expect(scored.log_prob < std::numeric_limits<double>::infinity(), "a score is no NaN and not infinite");
    state = scored.state;
    expect(std::isfinite(model.look_ahead(word)), "a look-ahead is finite");
    const int matched = model.matched(state, word);
    expect(matched >= 1 && matched <= model.order(), "the length of an n-gram");
    const std::string name(model.word(word));
    (void)model.find(name);
    (void)model.find(std::string(1 + random.below(9), 'x'));
  }
  (void)model.fingerprint();
  try {
    (void)ctckit::arpa_text(*model.listed());
  } catch (const ctckit::FormatError&) {
  }
}

// Changes bytes, numbers of 4 and 8 bytes, and the length. A byte may be replaced by itself.
void damage_kenlm(Random& random, TemporaryFile& file, std::string bytes) {
  const size_t front = std::min<size_t>(bytes.size(), random.chance(0.5) ? 160 : bytes.size());
  for (uint64_t i = 0; i <= random.below(random.chance(0.5) ? 2 : 40); ++i) {
    const size_t size = random.chance(0.6) ? 1 : random.chance(0.5) ? 4 : 8;
    const size_t at = random.below(front - size);
    const std::array<uint64_t, 4> numbers{0, ~uint64_t{0}, random.below(300), random.below(~uint64_t{0})};
    std::memcpy(bytes.data() + at, &numbers[random.below(numbers.size())], size);
  }
  if (random.chance(0.1)) bytes.resize(random.below(bytes.size() + 1));
  if (random.chance(0.05)) std::memset(bytes.data() + bytes.size() / 4, 0x11, bytes.size() / 2);
  const std::vector<std::string> words{"the", "king", "", "no such word"};
  try {
    use(random, *Kenlm::load(file.write(bytes), words));
  } catch (const ctckit::FormatError&) {
  }
}

void check_training(Random& random, int order) {
  std::string text;
  for (uint64_t line = 0; line < 1 + random.below(40); ++line) {
    for (uint64_t i = 0; i < random.below(30); ++i) {
      text += static_cast<char>('a' + random.below(1 + random.below(8)));
      if (random.chance(0.3)) text += " ";
    }
    text += "a\n";
  }
  const bool characters = random.chance(0.5);
  if (!characters) {
    while (text.find("  ") != std::string::npos) text.erase(text.find("  "), 1);
  }
  ctckit::NGramTrainer trainer(order, random.chance(0.5) ? std::vector<uint64_t>{0, 0, 1} : std::vector<uint64_t>{});
  trainer.add(text, characters ? ctckit::Unit::characters : ctckit::Unit::words, "|");
  std::vector<ctckit::Discounts> discounts;
  const Model model = trainer.train(discounts);
  check_compact(random, *model, *ctckit::compacted(*model), 0);
  const Model again = ctckit::ngram_from_arpa(ctckit::arpa_text(*model));
  uint32_t state = model->start(), same = again->start();
  for (int i = 0; i < 20; ++i) {
    double sum = 0;
    for (uint32_t word = 0; word < model->size(); ++word) {
      if (word != model->begin()) sum += std::exp(static_cast<double>(model->query(state, word).log_prob));
      const double other = again->query(same, again->find(model->word(word))).log_prob;
      expect(std::abs(other - model->query(state, word).log_prob) < 1e-5, "a model that was written and read");
    }
    expect(std::abs(sum - 1) < 1e-4, "probabilities sum to " + std::to_string(sum));
    const auto word = static_cast<uint32_t>(2 + random.below(model->size() - 2));
    state = model->query(state, word).state;
    same = again->query(same, again->find(model->word(word))).state;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 60;
  Random random(argc > 2 ? static_cast<uint64_t>(std::atoll(argv[2])) : 1);
  TemporaryFile file;
  const Golden golden = golden_files();
  for (const auto& [name, bytes] : golden) {
    if (!name.ends_with(".bin")) continue;
    const auto model = Kenlm::load(file.write(bytes), {});
    check_kenlm(random, golden, name, *model);
    use(random, *model);
    for (int i = 0; i < 5 * rounds; ++i) damage_kenlm(random, file, bytes);
  }
  for (int round = 0; round < rounds; ++round) {
    const int order = 1 + static_cast<int>(random.below(6));
    const Dictionary dictionary = random_dictionary(random, order);
    const std::string text = arpa(dictionary, order);
    const Model model = ctckit::ngram_from_arpa(text);
    check_queries(random, dictionary, *model, order);
    check_queries(random, dictionary, *as<NGram>(file.load(file_of(*model))), order);
    check_compact(random, *model);
    for (int i = 0; i < 10; ++i) damage_text(random, text);
    check_file(random, file, *model);
    check_file(random, file,
               *ctckit::compacted(*model, {random.chance(0.5) ? 0 : 5, random.chance(0.5) ? 0 : model->size()}));
    check_training(random, order);
  }
  std::printf("%d random language models: all as expected\n", rounds);
}
