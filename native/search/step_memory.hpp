// Steps that a search remembers: of a language model, of the ends of words, or of the hotwords, by state and entry. An
// entry is what the step is for: a token, or a node of the lexicon. A new step takes the place of an older one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "scorers/scorers.hpp"

namespace ctckit {

inline uint64_t hash_of(uint32_t state) noexcept { return state; }

template <class State>
class StepMemory {
 public:
  // `places`: a power of 2.
  void clear(size_t places) { places_.assign(places, {}); }

  template <class Compute>
  StepOf<State> step(const State& state, uint32_t entry, Compute&& compute) {
    const uint64_t mixed = (hash_of(state) ^ uint64_t{entry} << 32) * 0x9E3779B97F4A7C15u;
    Place& place = places_[(mixed ^ (mixed >> 32)) & (places_.size() - 1)];
    if (place.entry != entry || place.state != state) place = {state, entry, compute()};
    return place.step;
  }

 private:
  struct Place {
    State state{};
    uint32_t entry = ~uint32_t{0} - 1;  // no token, and no node of a lexicon
    StepOf<State> step{};
  };
  std::vector<Place> places_;
};

// The same for any language model. The states of most are short: so the memory leaves more of the processor's cache to the
// model.
class ModelStepMemory {
 public:
  // `places`: a power of 2.
  void clear(size_t places, bool has_short_states) {
    has_short_states_ = has_short_states;
    has_short_states ? short_.clear(places) : long_.clear(places);
  }

  // Replaces the state by the next one, and returns the factor.
  template <class Compute>
  float step(ModelState& state, uint32_t entry, Compute&& compute) {
    if (!has_short_states_) {
      const Step found = long_.step(state, entry, compute);
      state = found.state;
      return found.factor;
    }
    const ShortStep found = short_.step(state.parts[0], entry, [&] {
      const Step computed = compute();
      return ShortStep{computed.factor, computed.state.parts[0]};
    });
    state = {{found.state, 0, 0, 0}};
    return found.factor;
  }

 private:
  StepMemory<uint32_t> short_;
  StepMemory<ModelState> long_;
  bool has_short_states_ = true;
};

}  // namespace ctckit
