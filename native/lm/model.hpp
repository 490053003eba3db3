// The interface of a language model in the search: it scores entries one after another, and a state stands for the
// entries so far. Entries are numbers.
//
// BackoffModel is an n-gram model, whose entries have names: find() and word() convert them. NGram (ngram.hpp) is the
// automaton of ARPA files and of ctckit's own files, kenlm::Model (kenlm/model.hpp) a file of KenLM. None of their
// functions fails: an invalid entry counts as <unk>, an invalid state as some context. A model that is written in another
// language has sessions (session.hpp).
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ctckit {

// The text or file is not a valid language model. The message says where and why.
class FormatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a model remembers of the entries so far: a number of 128 bits, the lowest part first. The empty context is 0.
struct ModelState {
  std::array<uint32_t, 4> parts{};

  std::array<uint64_t, 2> halves() const noexcept { return std::bit_cast<std::array<uint64_t, 2>>(parts); }
  bool operator==(const ModelState& other) const noexcept {  // without a call of memcmp
    const auto a = halves(), b = other.halves();
    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
  }
};

inline uint64_t hash_of(const ModelState& state) noexcept {
  const auto [low, high] = state.halves();
  return low ^ high * 0xBF58476D1CE4E5B9u;
}

class Session;

class LanguageModel {
 public:
  struct Scored {
    double log_prob;  // nats
    ModelState state;
  };

  virtual ~LanguageModel() = default;

  virtual uint32_t unknown() const noexcept = 0;
  virtual uint32_t end() const noexcept = 0;                 // </s>
  virtual double unigram(uint32_t word) const noexcept = 0;  // log p without context; nats

  virtual ModelState first_state() const noexcept = 0;  // after <s>
  // Whether all states are numbers of 32 bits.
  virtual bool has_short_states() const noexcept { return false; }
  // Returns log p(word | state) and the state after the word. A session may throw, other models do not.
  virtual Scored score(const ModelState& state, uint32_t word) const = 0;

  // A new session, for a model that is asked in sessions; null for one that any number of searches can ask.
  virtual std::shared_ptr<Session> session() const { return nullptr; }

  // log p(word) for the look-ahead of a search, always finite: a word without a probability of its own may have one in a
  // context, so it counts as <unk>; as certain, if <unk> has none either.
  float look_ahead(uint32_t word) const noexcept {
    constexpr double lowest = std::numeric_limits<float>::lowest();
    const double found = unigram(word), otherwise = unigram(unknown());
    return static_cast<float>(found >= lowest ? found : otherwise >= lowest ? otherwise : 0);
  }

 protected:
  LanguageModel() = default;
  LanguageModel(const LanguageModel&) = default;
  LanguageModel& operator=(const LanguageModel&) = default;
};

class BackoffModel : public LanguageModel {
 public:
  virtual int order() const noexcept = 0;
  virtual std::vector<uint64_t> counts() const = 0;  // n-grams of each order
  virtual uint64_t bytes() const noexcept = 0;

  virtual uint32_t size() const noexcept = 0;                       // entries have the numbers 0 to size() − 1
  virtual uint32_t begin() const noexcept = 0;                      // <s>
  virtual uint32_t find(std::string_view word) const noexcept = 0;  // unknown() if absent
  virtual std::string_view word(uint32_t id) const noexcept = 0;    // "" if there is none, or it has no name

  Scored score(const ModelState& state, uint32_t word) const noexcept override = 0;
  // The number of words in the longest n-gram that the model has of the end of the state and the word.
  virtual int matched(const ModelState& state, uint32_t word) const noexcept = 0;
};

}  // namespace ctckit
