// A language model in a binary file of KenLM, memory-mapped.
//
// This folder: header.hpp describes the file; section.hpp reads numbers and divides it; vocabulary.hpp numbers the words;
// probing.hpp and trie.hpp hold the n-grams; listing.hpp finds all of them, to write another file.
//
// log p(w | v_k … v_1) is the log p of the longest n-gram v_m … v_1 w in the file, plus the back-offs of the contexts that
// are longer: v_{m+1} … v_1 to v_k … v_1. A context whose back-off is −0 (the bits of float −0) neither changes a score nor
// has longer n-grams, and so the state leaves its first word out.
//
// A state is a list of words, the last word first. Each is its number plus 1, in as many bits as the number of words needs.
//
// Nothing in a file is trusted. Loading checks all sizes, and what it can check without reading all n-grams; for any other
// content, look-ups terminate and read only inside of the file. KenLM's files have no checksum: a changed probability
// cannot be noticed.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lm/kenlm/header.hpp"
#include "lm/kenlm/probing.hpp"
#include "lm/kenlm/trie.hpp"
#include "lm/kenlm/vocabulary.hpp"
#include "lm/mapped_file.hpp"
#include "lm/ngram.hpp"

namespace ctckit::kenlm {

__extension__ using Bits = unsigned __int128;

class Model : public BackoffModel {
 public:
  // Maps a file. If it does not hold its words, `words` are their names.
  static std::shared_ptr<const Model> load(const std::string& path, const std::vector<std::string>& words);

  int order() const noexcept override { return header_.order(); }
  std::vector<uint64_t> counts() const override { return header_.counts; }
  uint64_t bytes() const noexcept override { return file_.bytes; }
  uint32_t size() const noexcept override { return vocabulary_.size(); }
  uint32_t unknown() const noexcept override { return 0; }
  uint32_t begin() const noexcept override { return begin_; }
  uint32_t end() const noexcept override { return end_; }
  uint32_t find(std::string_view word) const noexcept override { return vocabulary_.find(word); }
  std::string_view word(uint32_t id) const noexcept override { return vocabulary_.name(id); }
  ModelState first_state() const noexcept override { return std::bit_cast<ModelState>(Bits{begin_} + 1); }

  Kind kind() const noexcept { return header_.kind; }
  const std::string& path() const noexcept { return path_; }
  bool file_has_words() const noexcept { return header_.has_words; }
  bool has_names() const noexcept { return vocabulary_.has_names(); }
  uint64_t fingerprint() const noexcept { return ctckit::fingerprint(file_); }

  // The same model as an automaton, with all of its n-grams. Needs the names of all words.
  virtual std::shared_ptr<const NGram> listed() const = 0;

 protected:
  Model(const std::string& path, MappedFile file, Header header, Vocabulary vocabulary);

  // The words of a state.
  struct Context {
    Bits words;
    unsigned bits;
    uint64_t mask;
    // The word at the front, 0: none.
    uint64_t front() const { return static_cast<uint64_t>(words) & mask; }
    void pop() { words >>= bits; }
  };
  Context context(const ModelState& state) const noexcept {
    return {std::bit_cast<Bits>(state) & all_words_, word_bits_, word_mask_};
  }
  // The state of `word` and the first words of a context, `length` words in all.
  ModelState joined(const Context& before, uint32_t word, int length) const noexcept {
    if (length == 0) return {};
    const unsigned width = word_bits_ * static_cast<unsigned>(length);
    const Bits kept = width >= 128 ? ~Bits{0} : (Bits{1} << width) - 1;
    return std::bit_cast<ModelState>(((before.words << word_bits_) | (Bits{word} + 1)) & kept);
  }
  uint32_t known(uint64_t word) const noexcept { return word < size() ? static_cast<uint32_t>(word) : 0; }

  std::string path_;
  MappedFile file_;
  Header header_;
  Vocabulary vocabulary_;
  uint32_t begin_, end_;
  unsigned word_bits_;
  uint64_t word_mask_;
  Bits all_words_;  // the bits of order − 1 words
};

}  // namespace ctckit::kenlm
