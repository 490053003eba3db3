#include "loss/border.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "loss/item.hpp"

namespace ctckit {

namespace {

constexpr double impossible = -std::numeric_limits<double>::infinity();
constexpr double negligible = -60;     // log of a share
constexpr double least_to_fix = 1e-2;  // share

template <class Logit>
Item<Logit> item_of(const Rows<Logit>& rows, std::span<const int32_t> tokens) {
  Item<Logit> item{};
  item.logits = rows.log_probs;
  item.frame_stride = rows.stride;
  item.frames = static_cast<int>(rows.count);
  item.classes = rows.classes;
  item.blank = rows.blank;
  item.target = tokens.data();
  item.tokens = static_cast<int>(tokens.size());
  item.input_kind = InputKind::scores;
  return item;
}

// The closed tokens of the border, and the text.
std::vector<int32_t> joined(const Border& border, std::span<const int32_t> text) {
  const std::span<const int32_t> closed = border.closed();
  std::vector<int32_t> tokens(closed.begin(), closed.end());
  tokens.insert(tokens.end(), text.begin(), text.end());
  return tokens;
}

template <class Logit>
void enter(Item<Logit>& item, const Border& border) {
  item.entry = border.column.data();
  item.entry_states = std::min(static_cast<int>(border.column.size()), 2 * item.tokens + 1);
}

// log α of each state after the last row, coming from the border.
template <class Logit>
std::vector<double> forward(const Border& border, const Rows<Logit>& rows, std::span<const int32_t> tokens) {
  std::vector<double> alpha(2 * tokens.size() + 1);
  Item<Logit> item = item_of(rows, tokens);
  enter(item, border);
  item.exit = alpha.data();
  loss_of(item);
  return alpha;
}

// log of emission · β of each state at the first row. That is α, for the rows and the tokens in reverse order.
template <class Logit>
std::vector<double> backward(const Rows<Logit>& rows, std::span<const int32_t> tokens) {
  const std::vector<int32_t> reversed(tokens.rbegin(), tokens.rend());
  const Rows<Logit> back{rows.log_probs + (rows.count - 1) * rows.stride, -rows.stride, rows.count, rows.classes,
                         rows.blank};
  std::vector<double> u = forward(Border{}, back, reversed);
  std::ranges::reverse(u);
  return u;
}

double log_sum(std::span<const double> terms) {
  const double top = *std::ranges::max_element(terms);
  if (std::isinf(top)) return top;
  double sum = 0;
  for (const double each : terms) sum += std::exp(each - top);
  return top + std::log(sum);
}

// The log share of each state among the paths at the cut.
std::vector<double> shares(std::span<const double> alpha, std::span<const double> u, std::span<const int32_t> tokens) {
  const size_t states = alpha.size();
  std::vector<double> result(states);
  for (size_t s = 0; s < states; ++s) {
    const bool skips = s % 2 == 1 && s + 2 < states && tokens[s / 2] != tokens[s / 2 + 1];
    const double next[] = {u[s], s + 1 < states ? u[s + 1] : impossible, skips ? u[s + 2] : impossible};
    result[s] = alpha[s] + log_sum(next);
  }
  const double total = log_sum(result);
  for (double& each : result) each = std::isinf(total) ? impossible : each - total;
  return result;
}

}  // namespace

template <class Logit>
double log_prob_after(const Border& border, const Rows<Logit>& rows, std::span<const int32_t> text) {
  const std::vector<int32_t> tokens = joined(border, text);
  Item<Logit> item = item_of(rows, tokens);
  enter(item, border);
  return -loss_of(item);
}

template <class Logit>
Border cut(const Border& border, const Rows<Logit>& rows, std::span<const int32_t> text, int64_t frame, size_t closed,
           size_t agreed) {
  const std::vector<int32_t> tokens = joined(border, text);
  const size_t before = border.closed().size();
  closed += before, agreed += before;
  Rows<Logit> early = rows, late = rows;
  early.count = frame;
  late.log_probs += frame * rows.stride, late.count -= frame;
  const std::vector<double> alpha = forward(border, early, tokens);
  const std::vector<double> share = shares(alpha, backward(late, tokens), tokens);

  // The tokens [first, past): state s is before, at or after token s / 2.
  size_t first = closed, past = closed;
  for (size_t s = 0; s < share.size(); ++s) {
    if (!(share[s] > negligible)) continue;
    first = std::min(first, s / 2);
    if ((s + 1) / 2 <= agreed) past = std::max(past, (s + 1) / 2);
  }
  size_t last = share.size() - 1;  // state
  for (double lost = 0; last > 2 * past; --last) {
    lost += std::exp(share[last]);
    if (!(lost < least_to_fix)) break;
  }
  past = std::max(past, (last + 1) / 2);

  const auto part = [&](const std::vector<double>& column) {
    return std::span(column).subspan(2 * first, 2 * (past - first) + 1);
  };
  const double mass = log_sum(part(alpha)), kept = log_sum(part(share));
  Border result;
  if (std::isinf(kept)) {  // the text is impossible
    result.log_mass = impossible;
    return result;
  }
  result.tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(first),
                       tokens.begin() + static_cast<std::ptrdiff_t>(past));
  result.fixed = past - closed;
  result.column.clear();
  for (const double each : part(alpha)) result.column.push_back(each - mass);
  result.log_mass = mass - kept;  // so the text keeps its probability
  return result;
}

template double log_prob_after(const Border&, const Rows<float>&, std::span<const int32_t>);
template double log_prob_after(const Border&, const Rows<double>&, std::span<const int32_t>);
template Border cut(const Border&, const Rows<float>&, std::span<const int32_t>, int64_t, size_t, size_t);
template Border cut(const Border&, const Rows<double>&, std::span<const int32_t>, int64_t, size_t, size_t);

}  // namespace ctckit
