#include "scorers/lexicon.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lm/model.hpp"

namespace ctckit {

namespace {

// e^(to − from), and 0 if nothing possible remains.
float change(float from, float to) { return std::isinf(to) ? 0.0f : factor_of(static_cast<double>(to - from)); }

}  // namespace

Lexicon::Lexicon(const SearchPlan& plan)
    : trie_(plan.words),
      known_words_(plan.words.size() - plan.oov_words),
      letters_(trie_.size(), 0),
      potential_(trie_.size(), plan.word_lm ? -std::numeric_limits<float>::infinity() : 0.0f),
      changes_(trie_.size(), {1.0f, 1.0f, 1.0f}),
      oov_charge_(static_cast<float>(plan.oov_charge)),
      oov_letter_factor_(std::exp(-oov_charge_)),
      word_bonus_(static_cast<float>(plan.word_bonus)) {
  for (uint32_t node = 1; node < trie_.size(); ++node) letters_[node] = letters_[trie_.parent(node)] + 1;
  if (plan.word_lm) find_potentials(plan);
  if (plan.word_names.size() > 0) find_likeliest(plan);
  for (uint32_t node = 0; node < trie_.size(); ++node) {
    if (node != Trie::root) changes_[node].entering = change(potential_[trie_.parent(node)], potential_[node]);
    changes_[node].leaving = change(potential_[node], outside_potential(letters_[node] + 1));
    changes_[node].ending_bound = bound_of_end(potential_[node]);
  }
}

void Lexicon::find_potentials(const SearchPlan& plan) {
  const LanguageModel& model = *plan.word_lm;
  const auto weight = static_cast<float>(plan.word_lm_weight);
  unknown_potential_ = weight * model.look_ahead(model.unknown());
  std::vector<float> oov = potential_;  // the same for the words that are charged, without the charge
  for (uint32_t node = trie_.size() - 1; node != Trie::root; --node) {  // children before their parents
    for (int32_t word : trie_.lists_at(node)) {
      const auto id = static_cast<uint32_t>(plan.word_ids[static_cast<size_t>(word)]);
      float& best = is_known(word) ? potential_[node] : oov[node];
      best = std::max(best, weight * model.look_ahead(id));
    }
    const uint32_t above = trie_.parent(node);
    potential_[above] = std::max(potential_[above], potential_[node]);
    oov[above] = std::max(oov[above], oov[node]);
  }
  for (uint32_t node = 1; node < trie_.size(); ++node) {
    if (std::isinf(oov[node])) continue;
    potential_[node] = std::max(potential_[node], oov[node] - oov_charge_ * static_cast<float>(letters_[node]));
  }
  potential_[Trie::root] = 0;
}

void Lexicon::find_likeliest(const SearchPlan& plan) {
  likeliest_.assign(trie_.size(), -1);
  std::vector<float> log_probs(plan.words.size(), 0);
  for (size_t word = 0; plan.word_lm && word < log_probs.size(); ++word)
    log_probs[word] = plan.word_lm->look_ahead(static_cast<uint32_t>(plan.word_ids[word]));
  const auto offer = [&](uint32_t node, int32_t word) {
    int32_t& best = likeliest_[node];
    const auto rank = [&](int32_t each) { return std::pair(-log_probs[static_cast<size_t>(each)], each); };
    if (best < 0 || rank(word) < rank(best)) best = word;
  };
  for (uint32_t node = trie_.size() - 1; node != Trie::root; --node) {  // children before their parents
    for (const int32_t word : trie_.lists_at(node)) offer(node, word);
    offer(trie_.parent(node), likeliest_[node]);
  }
}

int32_t Lexicon::likeliest(std::span<const int32_t> letters) const {
  uint32_t node = Trie::root;
  for (const int32_t letter : letters)
    if (node != outside) node = trie_.child(node, letter);
  return node == outside || likeliest_.empty() ? -1 : likeliest_[node];
}

float Lexicon::bound_of_end(float potential) const {
  return std::isinf(potential) ? 1.0f
                               : std::exp(std::clamp(word_bonus_ - potential, 0.0f, static_cast<float>(largest_log)));
}

float Lexicon::step(uint32_t& node, int32_t letter) const {
  if (node == outside) return oov_letter_factor_;
  const uint32_t next = trie_.child(node, letter);
  const float factor = next == Trie::none ? changes_[node].leaving : changes_[next].entering;
  node = next;
  return factor;
}

}  // namespace ctckit
