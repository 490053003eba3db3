#include "search/ranking.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "scorers/fusion_path.hpp"
#include "search/refinement.hpp"

namespace ctckit {

namespace {

constexpr double slack = 2, slack_of_hotwords = 6, in_doubt = 0.01;  // nats, see ranking.hpp
constexpr double log_of_largest_sum = 1e-3;                          // of the probabilities of a frame
constexpr size_t least_scored = 6;                                   // texts: they tell how much of a mass may be lost
constexpr double negligible = 14;    // nats: a token sequence this far below another of the same text is ignored
constexpr int max_rounds = 4;        // of refinements
constexpr double least_gain = 1e-5;  // nats; less may be a rounding error
constexpr double impossible = -std::numeric_limits<double>::infinity();

double log_add(double a, double b) {
  const double top = std::max(a, b);
  return std::isinf(top) ? top : top + std::log1p(std::exp(std::min(a, b) - top));
}

constexpr size_t none = std::numeric_limits<size_t>::max();

// Token sequences of the beam that are written alike.
struct Group {
  uint64_t hash;          // of what is written; 0 if no two token sequences are written alike
  double mass;            // log
  double first;           // the largest log mass of one of them
  size_t ending, latest;  // the first and the last of them, see Ranking::next_
};

struct Text {
  std::vector<int32_t> tokens;  // of the best variant
  double score;
  std::optional<double> own = {};  // the exact log-probability of these tokens alone, if it was computed
};

bool is_placed(const Decoded& text) { return text.tokens.empty() || text.rescored.ends.back() > 0; }

// The number of the group with this hash; none at first.
class Table {
 public:
  explicit Table(size_t most) : places_(std::bit_ceil(2 * most + 1), {0, none}) {}

  size_t& operator[](uint64_t hash) {
    size_t at = hash & (places_.size() - 1);
    while (places_[at].second != none && places_[at].first != hash) at = (at + 1) & (places_.size() - 1);
    places_[at].first = hash;
    return places_[at].second;
  }

 private:
  std::vector<std::pair<uint64_t, size_t>> places_;
};

class Ranking {
 public:
  Ranking(const Scorers& scorers, const Frames& frames, const Past& past, const Search* search = nullptr)
      : scorers_(scorers),
        frames_(frames),
        past_(past),
        search_(search),
        last_(past.last),
        scorer_(frames, past.border),
        whole_(past.tokens.begin(), past.tokens.end()) {}

  std::vector<Decoded> best(size_t n) {
    group();
    if (groups_.empty()) return {};
    know(tokens_of(endings_[groups_.front().ending]));
    const std::vector<Text> texts = sorted_texts(n);
    std::vector<Decoded> result;
    const auto append = [&](Decoded text) {
      if (is_placed(text)) result.push_back(std::move(text));
    };
    for (auto each = texts.begin(); each != texts.end() && result.empty(); ++each)
      append(refined_most(each->tokens, each->own));
    if (result.empty()) return {complete(scored(texts.front().tokens, texts.front().own))};
    for (const Text& each : texts) {
      if (result.size() == n) break;
      if (!same(each.tokens, result.front().tokens)) append(complete(scored(each.tokens, each.own)));
    }
    std::stable_sort(result.begin() + 1, result.end(),
                     [](const Decoded& a, const Decoded& b) { return a.score > b.score; });
    return result;
  }

  // Sets the text that the others are compared with.
  void know(std::vector<int32_t> tokens) { known_.emplace(scorer_, std::move(tokens)); }

  // The text after as many rounds of refinements as improve it.
  Decoded refined_most(std::vector<int32_t> tokens, std::optional<double> exact = {}) {
    Scored scored = this->scored(std::move(tokens), exact);
    double own = scored.own;
    Decoded best = complete(std::move(scored));
    for (int round = 0; round < max_rounds; ++round) {
      std::vector<int32_t> changed = refined_once(best, own);
      if (changed == best.tokens) break;
      scored = this->scored(std::move(changed));
      if (!(scored.text.score > best.score)) break;
      last_ -= best.tokens.size() - scored.text.tokens.size();  // all changes are before it
      own = scored.own;
      Decoded better = complete(std::move(scored));
      if (!is_placed(better)) break;
      best = std::move(better);
    }
    return best;
  }

 private:
  // Joins the texts of the beam that are written alike, those with the most mass first.
  void group() {
    endings_ = search_->endings(true);
    next_.assign(endings_.size(), none);
    Table table(endings_.size());
    for (size_t k = 0; k < endings_.size(); ++k) {
      const double score = endings_[k].score;
      const uint64_t hash = scorers_.ambiguous() ? hash_of(tokens_of(endings_[k])) : 0;
      size_t alone = none;
      size_t& number = scorers_.ambiguous() ? table[hash] : alone;
      if (number == none) {
        number = groups_.size();
        groups_.push_back({hash, score, score, k, k});
      } else if (score >= groups_[number].first - negligible) {
        groups_[number].mass = log_add(groups_[number].mass, score);
        groups_[number].latest = next_[groups_[number].latest] = k;
      }
    }
    std::ranges::stable_sort(groups_, std::ranges::greater{}, &Group::mass);
  }

  // At least n texts, if there are, the best ones first.
  std::vector<Text> sorted_texts(size_t n) {
    if (n == 1 && is_likelier_than_all_others()) return {{known_->tokens(), known_->log_prob()}};
    expect_changes();
    std::vector<Text> texts;
    double best = impossible, lost = 0;  // the largest score − mass
    const double most_below = scorers_.has_hotwords() ? slack_of_hotwords : slack;
    const auto can_be_first = [&](const Group& group) {
      return texts.size() < least_scored || !(group.mass + lost + most_below < best);
    };
    auto next = groups_.begin();
    for (; next != groups_.end() && can_be_first(*next); ++next) {
      texts.push_back(text_of(*next));
      best = std::max(best, texts.back().score);
      lost = std::max(lost, texts.back().score - next->mass);
    }
    for (Text& each : texts) {
      if (known_->is_short() || !(each.score > best - in_doubt)) continue;
      const Scored exact = scored(each.tokens);
      each.score = exact.text.score, each.own = exact.own;
    }
    std::ranges::stable_sort(texts, std::ranges::greater{}, &Text::score);
    for (; next != groups_.end() && texts.size() < n; ++next) texts.push_back(text_of(*next));
    std::stable_sort(texts.begin() + 1, texts.end(), [](const Text& a, const Text& b) { return a.score > b.score; });
    return texts;
  }

  // Whether the text with the most mass has more than half of all probability. Probabilities of a frame may sum to a bit
  // more than 1, in half precision.
  bool is_likelier_than_all_others() const {
    const double most = log_of_largest_sum * static_cast<double>(frames_.count);
    return !scorers_.any() && known_->log_prob() > std::log(0.5) + most;
  }

  // Finds the place of a long text where those of the beam differ: mostly its end.
  void expect_changes() {
    if (known_->is_short()) return;
    const std::vector<int32_t>& known = known_->tokens();
    size_t same_first = known.size(), same_last = known.size();
    for (const Ending& each : endings_) {
      const std::vector<int32_t>& other = tokens_of(each);
      const auto end = known.begin() + static_cast<std::ptrdiff_t>(same_first);
      same_first =
          static_cast<size_t>(std::mismatch(known.begin(), end, other.begin(), other.end()).first - known.begin());
      const auto last = known.rbegin() + static_cast<std::ptrdiff_t>(same_last);
      same_last =
          static_cast<size_t>(std::mismatch(known.rbegin(), last, other.rbegin(), other.rend()).first - known.rbegin());
    }
    known_->expect_changes(same_first, std::max(same_first, known.size() - same_last));
  }

  const std::vector<int32_t>& tokens_of(const Ending& ending) {
    tokens_.clear();
    search_->append_tokens(ending, tokens_);
    return tokens_;
  }

  // The past and these tokens.
  const std::vector<int32_t>& whole(std::span<const int32_t> tokens) {
    whole_.resize(past_.tokens.size());
    whole_.insert(whole_.end(), tokens.begin(), tokens.end());
    return whole_;
  }

  // A hash of the text as it is written. Two of the few texts of a beam do not share 64 bits by chance.
  uint64_t hash_of(std::span<const int32_t> tokens) {
    const std::vector<int32_t>& all = whole(tokens);
    scorers_.write(all, scorers_.plan().word_names.size() > 0 ? scorers_.parts(all, options_).words : Parts{}.words,
                   written_);
    uint64_t hash = written_.size();
    for (int32_t each : written_) hash = (std::rotl(hash, 5) ^ static_cast<uint32_t>(each)) * 0x9E3779B97F4A7C15u;
    return hash;
  }

  // The text of a group: the token sequence with the best score stands for all.
  Text text_of(const Group& group) {
    Text text{{}, impossible};
    double sum = impossible, fusion = 0;
    for (size_t k = group.ending; k != none; k = next_[k]) {
      const std::vector<int32_t>& tokens = tokens_of(endings_[k]);
      const double log_prob = known_->log_prob_of(tokens), gained = fusion_score(tokens);
      sum = log_add(sum, log_prob);
      if (k != group.ending && !(log_prob + gained > text.score)) continue;
      text = {tokens, log_prob + gained};
      fusion = gained;
    }
    text.score = sum + fusion;
    return text;
  }

  double fusion_score(std::span<const int32_t> tokens) {
    return scorers_.any() ? fusion_score(scorers_.parts(whole(tokens), options_), tokens.size()) : 0;
  }
  double fusion_score(const Parts& parts, size_t tokens) const {
    return scorers_.fusion_score(parts, past_.tokens.size() + tokens);
  }

  // The log-probability of a text: of these tokens, and of the others in the group.
  double with_variants(double log_prob, std::span<const int32_t> tokens, const Group* group) {
    for (size_t k = group ? group->ending : none; k != none; k = next_[k]) {
      const std::vector<int32_t>& other = tokens_of(endings_[k]);
      if (!std::ranges::equal(other, tokens)) log_prob = log_add(log_prob, known_->log_prob_of(other));
    }
    return log_prob;
  }

  const Group* group_of(std::span<const int32_t> tokens) {
    if (!scorers_.ambiguous()) return nullptr;
    const auto found = std::ranges::find(groups_, hash_of(tokens), &Group::hash);
    return found == groups_.end() ? nullptr : &*found;
  }

  bool is_known(std::span<const int32_t> tokens) const { return std::ranges::equal(tokens, known_->tokens()); }

  // The exact log-probability of these tokens alone.
  double own_log_prob(std::span<const int32_t> tokens) {
    return known_->is_short() || is_known(tokens) ? known_->log_prob_of(tokens) : scorer_.log_prob_of(tokens);
  }

  // A text with its exact scores, and the log-probability of these tokens alone, which may be known.
  struct Scored {
    Decoded text;
    double own;
  };
  Scored scored(std::vector<int32_t> tokens, std::optional<double> exact = {}) {
    const double own = exact ? *exact : own_log_prob(tokens);
    Scored result{{std::move(tokens), {}, {}, 0}, own};
    Decoded& text = result.text;
    text.parts = scorers_.parts(whole(text.tokens), options_);
    text.rescored.log_prob = with_variants(own, text.tokens, group_of(text.tokens));
    text.score = text.rescored.log_prob + fusion_score(text.parts, text.tokens.size());
    return result;
  }

  Decoded complete(Scored scored) {
    Decoded& text = scored.text;
    const double log_prob = text.rescored.log_prob;
    Alignment alignment = is_known(text.tokens)    ? known_->alignment()
                          : std::isinf(scored.own) ? no_alignment(text.tokens.size())
                                                   : align(frames_, text.tokens);
    text.rescored = rescore(frames_, text.tokens, scored.own, std::move(alignment));
    text.rescored.log_prob = log_prob;
    return std::move(text);
  }

  // The tokens after all refinements that improve the score.
  std::vector<int32_t> refined_once(const Decoded& text, double own) {
    const std::vector<Refinement> refinements = find_refinements(frames_, text.tokens, text.rescored);
    if (refinements.empty()) return text.tokens;
    std::optional<KnownText> changed;  // a copy, once something changes
    const auto copy = [&] {
      changed.emplace(scorer_, text.tokens, own, Alignment{text.rescored.starts, text.rescored.ends});
    };
    if (!is_known(text.tokens)) copy();
    std::optional<FusionPath> path;
    if (scorers_.any()) path.emplace(scorers_, past_.tokens, text.tokens);
    for (const Refinement& refinement : refinements) {
      const auto position = static_cast<size_t>(refinement.position);
      if (position < std::max(past_.first, scorer_.fixed()) || position >= last_) continue;
      KnownText& known = changed ? *changed : *known_;
      const double log_prob = known.log_prob_after(refinement);
      const double gain = log_prob - known.log_prob() + (path ? path->gain(position, refinement.token) : 0);
      if (!(gain > least_gain)) continue;
      if (!changed) copy();
      changed->change(refinement, log_prob);
      if (path) path->change(position, refinement.token);
    }
    return changed ? changed->tokens() : text.tokens;
  }

  // Whether two token sequences are the same text.
  bool same(std::span<const int32_t> a, std::span<const int32_t> b) {
    return std::ranges::equal(a, b) || (scorers_.ambiguous() && hash_of(a) == hash_of(b));
  }

  const Scorers& scorers_;
  const Frames& frames_;
  const Past& past_;
  const Search* const search_;
  size_t last_;  // one past the last token that may be refined
  TextScorer scorer_;
  WordOptions options_;
  std::vector<Ending> endings_;
  std::vector<size_t> next_;  // of each ending: the next one that is written alike, or none
  std::vector<Group> groups_;
  std::vector<int32_t> tokens_, whole_, written_;  // buffers; whole_ begins with the past
  std::optional<KnownText> known_;                 // the text that others are compared with
};

}  // namespace

std::vector<Decoded> ranked(const Search& search, const Scorers& scorers, const Frames& frames, const Past& past,
                            size_t n) {
  return Ranking(scorers, frames, past, &search).best(n);
}

Decoded refined(std::vector<int32_t> tokens, const Scorers& scorers, const Frames& frames, const Past& past) {
  Ranking ranking(scorers, frames, past);
  ranking.know(tokens);
  return ranking.refined_most(std::move(tokens));
}

}  // namespace ctckit
