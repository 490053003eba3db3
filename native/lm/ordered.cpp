#include "lm/ordered.hpp"

#include <algorithm>

namespace ctckit {

Ordered ordered(const NGram& model) {
  const uint64_t states = model.header().states;
  const int order = model.order();
  Ordered found;
  found.n_grams.resize(static_cast<size_t>(order) + 1);
  found.states.assign(1, 0);
  found.ranks.assign(states, 0);
  found.last.resize(states);
  const NGram::Slot* const slots = model.slots();
  for (uint64_t i = 0; i < model.header().slots; ++i) {
    if (!slots[i].key) continue;
    const uint32_t context = Ordered::context(slots[i]);
    const int length = model.length(context) + 1;
    if (length < 2 || length > order || context >= states || slots[i].state >= states ||
        Ordered::word(slots[i]) >= model.size()) {
      damaged_model();
    }
    found.n_grams[static_cast<size_t>(length)].push_back(slots + i);
  }
  const auto take_state = [&](uint32_t state, int length, Ordered::Last last) {
    if (!state || model.length(state) != length) return;  // an n-gram without a state of its own
    if (state >= states || found.ranks[state]) damaged_model();
    found.ranks[state] = static_cast<uint32_t>(found.states.size());
    found.states.push_back(state);
    found.last[state] = last;
  };
  for (uint32_t word = 0; word < model.size(); ++word) take_state(model.unigram_state(word), 1, {0, word});
  for (int length = 2; length <= order; ++length) {
    auto& n_grams = found.n_grams[static_cast<size_t>(length)];
    const auto place = [&](const NGram::Slot* each) {
      return NGram::key(found.ranks[Ordered::context(*each)], Ordered::word(*each));
    };
    std::ranges::sort(n_grams, {}, place);
    for (const NGram::Slot* each : n_grams)
      take_state(each->state, length, {Ordered::context(*each), Ordered::word(*each)});
  }
  if (found.states.size() != states) damaged_model();
  return found;
}

}  // namespace ctckit
