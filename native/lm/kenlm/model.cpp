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

// The back-offs of the contexts that end a state, the shortest first.
struct alignas(64) BackOffs {
  uint64_t model = 0;
  Bits context = 0;
  int count = 0;
  std::array<float, most_order - 1> values{};
};

// A search asks one context for many words in a short time, soon after it found the context: each thread keeps the back-offs
// of its latest contexts.
BackOffs& kept_back_offs(uint64_t model, Bits context) noexcept {
  static constinit thread_local std::array<BackOffs, 512> kept;
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
    std::array<float, most_order - 1> passed;  // the back-offs of the contexts that end in the word
    const Found found = longest_match(before, known(word), passed);
    float sum = found.log_prob;
    if (before.front() != 0) {
      const BackOffs& back_offs = back_offs_of(before);
      // In the order in which KenLM adds them.
      for (int k = found.matched; k <= back_offs.count; ++k) sum += back_offs.values[static_cast<size_t>(k - 1)];
    }
    const ModelState next = joined(before, known(word), found.kept);
    keep_back_offs(next, passed, found.kept);
    return {in_nats(sum), next};
  }

  int matched(const ModelState& state, uint32_t word) const noexcept override {
    std::array<float, most_order - 1> passed;
    return longest_match(context(state), known(word), passed).matched;
  }

  std::shared_ptr<const NGram> listed() const override { return listed_model(*this, tables_); }

 private:
  using Node = typename Tables::Node;

  struct Found {
    float log_prob;
    int matched;  // the words of the longest n-gram
    int kept;     // the words of the state after it
  };

  Found longest_match(Context before, uint32_t word, std::array<float, most_order - 1>& passed) const noexcept {
    Node node;
    Weights weights = tables_.unigram(word, node);
    Found found = {weights.log_prob, 1, ends_context(weights.back_off) ? 0 : 1};
    passed[0] = weights.back_off;
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
      passed[static_cast<size_t>(length - 1)] = weights.back_off;
      if (!ends_context(weights.back_off)) found.kept = length;
    }
    return found;
  }

  void keep_back_offs(const ModelState& state, const std::array<float, most_order - 1>& values,
                      int count) const noexcept {
    if (count == 0) return;
    BackOffs& kept = kept_back_offs(number_, std::bit_cast<Bits>(state));
    kept.model = number_;
    kept.context = std::bit_cast<Bits>(state);
    kept.count = count;
    for (size_t k = 0; k < static_cast<size_t>(count); ++k) kept.values[k] = values[k];
  }

  const BackOffs& back_offs_of(const Context& before) const noexcept {
    BackOffs& kept = kept_back_offs(number_, before.words);
    if (kept.model == number_ && kept.context == before.words) return kept;
    // The walk from the last word over the words before it.
    Context rest = before;
    rest.pop();
    std::array<float, most_order - 1> passed;
    const Found found = longest_match(rest, known(before.front() - 1), passed);
    keep_back_offs(std::bit_cast<ModelState>(before.words), passed, std::min(found.matched, header_.order() - 1));
    return kept;
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
