#include "lm/session.hpp"

#include <unordered_set>
#include <utility>

namespace ctckit {

namespace {

constexpr uint32_t all_bits = ~uint32_t{0};
constexpr ModelState no_state = {{all_bits, all_bits, all_bits, all_bits}};  // after a query that was only noted

}  // namespace

LanguageModel::Scored Session::score(const ModelState& state, uint32_t word) const {
  const Query query = {state, word};
  const auto found = known_.find(query);
  if (found != known_.end()) return found->second;
  if (noting_) {
    if (state != no_state) noted_.push_back(query);
    return {0, no_state};
  }
  const Scored answer = ask({&query, 1}).front();
  known_.emplace(query, answer);
  return answer;
}

void Session::begin_noting() const {
  noted_.clear();
  noting_ = true;
}

bool Session::ask_noted() const {
  std::unordered_set<Query, Hash> seen;
  std::erase_if(noted_, [&](const Query& each) { return !seen.insert(each).second; });
  const std::vector<Query> queries = std::exchange(noted_, {});
  if (queries.empty()) return false;
  const std::vector<Scored> answers = ask(queries);
  for (size_t k = 0; k < queries.size(); ++k) known_.emplace(queries[k], answers[k]);
  return true;
}

void Session::keep_only(std::span<const ModelState> states) const {
  known_.clear();
  keep_states(states);
}

}  // namespace ctckit
