// A session with a language model that is slow to ask, such as one in Python. It remembers all answers, so that each
// query is asked once, and asks many queries together. It serves one search, in one thread at a time.
#pragma once
#include <cstddef>
#include <span>
#include <unordered_map>
#include <vector>

#include "lm/model.hpp"

namespace ctckit {

class Session : public LanguageModel {
 public:
  struct Query {
    ModelState state;
    uint32_t word;
    bool operator==(const Query&) const = default;
  };

  // Throws what the model throws; then nothing is remembered.
  Scored score(const ModelState& state, uint32_t word) const final;

  // From now on, score() only notes queries that are new. Their answers are wrong: the caller drops them.
  void begin_noting() const;
  void end_noting() const noexcept { noting_ = false; }
  // Asks what was noted, all together. Returns whether there was anything.
  bool ask_noted() const;

  // The number of answers that it remembers.
  size_t known() const noexcept { return known_.size(); }
  // Forgets all answers, and all states but these and the first one.
  void keep_only(std::span<const ModelState> states) const;

 protected:
  // Returns the answers to different queries.
  virtual std::vector<Scored> ask(std::span<const Query> queries) const = 0;
  virtual void keep_states(std::span<const ModelState> states) const = 0;

 private:
  struct Hash {
    size_t operator()(const Query& query) const {
      return (hash_of(query.state) ^ uint64_t{query.word} << 32) * 0x9E3779B97F4A7C15u >> 16;
    }
  };

  // Answers do not change the model: a session looks constant.
  mutable std::unordered_map<Query, Scored, Hash> known_;
  mutable std::vector<Query> noted_;
  mutable bool noting_ = false;
};

}  // namespace ctckit
