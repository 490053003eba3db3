#include "lm/kenlm/model.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>

#include "lm/kenlm/listing.hpp"

namespace ctckit::kenlm {
namespace {

constexpr double nats = 2.302585092994045684;

// Whether a back-off says that no longer n-gram begins with these words: the bits of −0.
bool ends_context(float back_off) { return std::bit_cast<uint32_t>(back_off) == 0x80000000u; }

// A damaged file may hold any float. A sum that is no log-probability is −∞: the search forbids the word.
double in_nats(float log10) {
  return log10 < std::numeric_limits<float>::infinity() ? static_cast<double>(log10) * nats
                                                        : -std::numeric_limits<double>::infinity();
}

// The back-offs of contexts, the shortest first.
struct BackOffs {
  uint64_t model = 0;
  Bits context = 0;
  int count = 0;
  std::array<float, most_order - 1> values;
};

// A search asks one context for many words in a short time: each thread keeps the back-offs of its latest contexts.
BackOffs& kept_back_offs(uint64_t model, Bits context) {
  thread_local std::array<BackOffs, 256> kept;
  const uint64_t mixed = hash_of(std::bit_cast<ModelState>(context)) * 0x9E3779B97F4A7C15u + model;
  return kept[mixed >> 32 & (kept.size() - 1)];
}

uint64_t next_number() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

template <class Tables>
class ModelOf final : public Model {
 public:
  ModelOf(const std::string& path, MappedFile file, Header header, Vocabulary vocabulary, Sections& sections)
      : Model(path, std::move(file), std::move(header), std::move(vocabulary)), tables_(header_, sections) {
    if (header_.has_words) vocabulary_.read_names(sections);
  }

  void name(const std::vector<std::string>& words) { vocabulary_.give_names(words); }

  double unigram(uint32_t word) const noexcept override {
    Node node;
    return in_nats(tables_.unigram(known(word), node).log_prob);
  }

  Scored score(const ModelState& state, uint32_t word) const noexcept override {
    const Context before = context(state);
    const Found found = longest_match(before, known(word));
    float sum = found.log_prob;
    if (before.front() != 0) {
      const BackOffs& back_offs = back_offs_of(before);
      // In the order in which KenLM adds them.
      for (int k = found.matched; k <= back_offs.count; ++k) sum += back_offs.values[static_cast<size_t>(k - 1)];
    }
    return {in_nats(sum), joined(before, known(word), found.kept)};
  }

  int matched(const ModelState& state, uint32_t word) const noexcept override {
    return longest_match(context(state), known(word)).matched;
  }

  std::shared_ptr<const NGram> listed() const override { return listed_model(*this, tables_); }

 private:
  using Node = typename Tables::Node;

  struct Found {
    float log_prob;
    int matched;  // the words of the longest n-gram
    int kept;     // the words of the state after it
  };

  Found longest_match(Context before, uint32_t word) const noexcept {
    Node node;
    Weights weights = tables_.unigram(word, node);
    Found found = {weights.log_prob, 1, ends_context(weights.back_off) ? 0 : 1};
    for (int length = 2; length <= header_.order() && weights.is_end_of_longer; ++length) {
      const uint64_t next = before.front();
      if (next == 0) break;
      before.pop();
      if (length == header_.order()) {
        if (tables_.longest(known(next - 1), node, found.log_prob)) found.matched = length;
        break;
      }
      if (!tables_.longer(length, known(next - 1), node, weights)) break;
      found.log_prob = weights.log_prob;
      found.matched = length;
      if (!ends_context(weights.back_off)) found.kept = length;
    }
    return found;
  }

  const BackOffs& back_offs_of(Context before) const noexcept {
    BackOffs& found = kept_back_offs(number_, before.words);
    if (found.model == number_ && found.context == before.words) return found;
    found.model = number_;
    found.context = before.words;
    found.count = 0;
    Node node;
    Weights weights{};
    for (int length = 1; before.front() != 0; ++length) {
      const uint32_t word = known(before.front() - 1);
      before.pop();
      if (length == 1) {
        weights = tables_.unigram(word, node);
      } else if (!weights.is_end_of_longer || !tables_.longer(length, word, node, weights)) {
        break;
      }
      found.values[static_cast<size_t>(found.count++)] = weights.back_off;
    }
    return found;
  }

  Tables tables_;
  uint64_t number_ = next_number();  // of this model, in this process
};

template <class Tables>
std::shared_ptr<const Model> loaded_as(const std::string& path, MappedFile file, Header header, Sections sections,
                                       const std::vector<std::string>& words) {
  Vocabulary vocabulary(header, sections);
  auto model =
      std::make_shared<ModelOf<Tables>>(path, std::move(file), std::move(header), std::move(vocabulary), sections);
  if (!model->file_has_words() && !words.empty()) model->name(words);
  return model;
}

}  // namespace

Model::Model(const std::string& path, MappedFile file, Header header, Vocabulary vocabulary)
    : path_(path),
      file_(std::move(file)),
      header_(std::move(header)),
      vocabulary_(std::move(vocabulary)),
      begin_(vocabulary_.find("<s>")),
      end_(vocabulary_.find("</s>")),
      word_bits_(static_cast<unsigned>(std::bit_width(vocabulary_.size()))),
      word_mask_((uint64_t{1} << word_bits_) - 1) {
  const unsigned width = word_bits_ * static_cast<unsigned>(order() - 1);
  if (width > 128) {
    throw FormatError("its contexts of " + std::to_string(order() - 1) + " of " + std::to_string(size()) +
                      " words need " + std::to_string(width) +
                      " bits; this ctckit maps KenLM's files up to 128 bits. Load the ARPA file.");
  }
  all_words_ = width == 128 ? ~Bits{0} : (Bits{1} << width) - 1;
}

std::shared_ptr<const Model> Model::load(const std::string& path, const std::vector<std::string>& words) {
  MappedFile file = mapped_file(path);
  Sections sections(file.memory.get(), file.bytes, 0);
  Header header = read_header(file.memory.get(), file.bytes, sections);
  return header.is_probing() ? loaded_as<Probing>(path, std::move(file), std::move(header), sections, words)
                             : loaded_as<Trie>(path, std::move(file), std::move(header), sections, words);
}

}  // namespace ctckit::kenlm
