#include "search/passes.hpp"

#include <algorithm>
#include <cmath>

#include "simd/beam_kernel.hpp"
#include "simd/dispatch.hpp"

namespace ctckit {

namespace {

// The mass of a place is negligible below this, relative to that of all places in the frame.
constexpr double negligible = 1e-80;
// A smaller ratio, or one through a greater u, may have lost parts to underflow.
constexpr double least_ratio = 1e-30, greatest_u = 1e250;
// Frames may be left out where the text itself passes the place in the others with this share of its mass.
constexpr double most_passed = 1 - 1e-9;

// The kernel's exponentials are 0 below e^-80.
double exact_if_zero(float exponential, float score) {
  return exponential > 0 || std::isinf(score) || std::isnan(score) ? static_cast<double>(exponential)
                                                                   : std::exp(static_cast<double>(score));
}

}  // namespace

Passes::Passes(const Frames& frames, std::span<const int32_t> closed, std::span<const int32_t> tokens,
               std::span<const double> column)
    : frames_(frames), closed_(closed.size()), tokens_(closed.begin(), closed.end()) {
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  const auto rows = static_cast<size_t>(frames_.count);
  skip_.assign(width(), 0);
  for (size_t i = 1; i < tokens_.size(); ++i) skip_[i + 1] = may_skip(i);
  label_alpha_.resize((rows + 1) * width());
  blank_alpha_.resize((rows + 1) * width());
  label_u_.resize(rows * width());
  find_emissions();
  forward(column);
  if (end_ > 0) backward();
}

void Passes::find_emissions() {
  std::vector<int32_t> classes = {frames_.blank};
  for (const int32_t token : tokens_) {
    const auto known = std::ranges::find(classes, token);
    distinct_.push_back(static_cast<size_t>(known - classes.begin()));
    if (known == classes.end()) classes.push_back(token);
  }
  classes_ = classes.size();
  const auto rows = static_cast<size_t>(frames_.count),
             width = static_cast<size_t>(whole_blocks(static_cast<int>(classes_)));
  emissions_.resize(rows * classes_);
  std::vector<float> all_scores(rows * classes_), exponentials(width);
  frames_.gather(classes, all_scores.data());
  for (size_t t = 0; t < rows; ++t) {
    const float* const scores = &all_scores[t * classes_];
    const float top = beam_kernels().exponentials(scores, static_cast<int>(classes_), exponentials.data());
    top_.push_back(std::isinf(top) ? 0 : static_cast<double>(top));
    for (size_t k = 0; k < classes_; ++k)
      emissions_[t * classes_ + k] = exact_if_zero(exponentials[k], scores[k] - top);
  }
}

// The scaled emissions of a class in all frames, as in emissions_.
const std::vector<double>& Passes::emissions_of(int32_t token) {
  const auto known = std::ranges::find(columns_, token, &Column::token);
  if (known != columns_.end()) return known->emissions;
  const size_t rows = top_.size();
  std::vector<float> scores(rows), exponentials(static_cast<size_t>(whole_blocks(static_cast<int>(rows))));
  frames_.gather({&token, 1}, scores.data());
  for (size_t t = 0; t < rows; ++t) scores[t] -= static_cast<float>(top_[t]);
  const float top = beam_kernels().exponentials(scores.data(), static_cast<int>(rows), exponentials.data());
  const double factor = std::isinf(top) ? 0 : std::exp(static_cast<double>(top));
  std::vector<double>& column = columns_.emplace_back(Column{token, std::vector<double>(rows)}).emissions;
  for (size_t t = 0; t < rows; ++t) {
    const bool flushed = exponentials[t] == 0;
    column[t] = flushed ? exact_if_zero(0, scores[t]) : static_cast<double>(exponentials[t]) * factor;
    column[t] *= scale_[t];
  }
  return column;
}

void Passes::forward(std::span<const double> column) {
  const size_t count = tokens_.size();
  for (size_t s = 0; s < std::min(column.size(), 2 * count + 1); ++s)
    (s % 2 ? alpha_label(0)[s / 2 + 1] : alpha_blank(0)[s / 2]) = std::exp(column[s]);
  for (int64_t t = 0; t < frames_.count; ++t) {
    const double *const label = alpha_label(t), *const blank = alpha_blank(t);
    double *const next_label = alpha_label(t + 1), *const next_blank = alpha_blank(t + 1);
    double* const row = emissions_.data() + static_cast<size_t>(t) * classes_;
    double sum = 0;
    for (size_t i = 0; i <= count; ++i) sum += next_blank[i] = (blank[i] + label[i]) * row[0];
    for (size_t i = 0; i < count; ++i)
      sum += next_label[i + 1] = (label[i + 1] + blank[i] + skip_[i + 1] * label[i]) * row[distinct_[i]];
    scale_.push_back(sum > 0 ? 1 / sum : 0);
    for (size_t i = 0; i <= count; ++i) next_blank[i] *= scale_.back(), next_label[i] *= scale_.back();
    for (size_t k = 0; k < classes_; ++k) row[k] *= scale_.back();
  }
  end_ = alpha_blank(frames_.count)[count] + alpha_label(frames_.count)[count];
}

void Passes::backward() {
  const size_t count = tokens_.size();
  std::vector<double> blank_u(count + 1), beta_label(count), beta_blank(count + 1);
  beta_blank[count] = 1;
  if (count > 0) beta_label[count - 1] = 1;
  for (int64_t t = frames_.count - 1; t >= 0; --t) {
    const double* const row = emissions_.data() + static_cast<size_t>(t) * classes_;
    double* const u = label_u(t);
    for (size_t i = 0; i < count; ++i) u[i + 1] = beta_label[i] * row[distinct_[i]];
    for (size_t i = 0; i <= count; ++i) blank_u[i] = beta_blank[i] * row[0];
    for (size_t i = 0; i < count; ++i) beta_label[i] = u[i + 1] + blank_u[i + 1] + skip_[i + 2] * u[i + 2];
    for (size_t i = 0; i <= count; ++i) beta_blank[i] = blank_u[i] + (i < count ? u[i + 1] : 0);
  }
}

double Passes::gain(size_t from, size_t to, std::span<const int32_t> instead) {
  from += closed_, to += closed_;
  const double near = end_ > least_ratio ? ratio(from, to, instead, negligible) : std::nan("");
  return std::log(std::isnan(near) ? ratio(from, to, instead, 0) : near);
}

// Frames are left out before the mass of the tokens before the change reaches `negligible`, and after it has fallen below
// for good and that of the new tokens too; between them, new tokens that are behind. The text itself must pass the place
// in the frames that are left; otherwise the result is NaN.
double Passes::ratio(size_t from, size_t to, std::span<const int32_t> instead, double negligible) {
  const size_t count = tokens_.size(), added = instead.size();
  const bool at_end = to == count;
  const int32_t left = from > 0 ? tokens_[from - 1] : frames_.blank;
  const int32_t right = at_end ? frames_.blank : tokens_[to];
  const bool skips_in = from > 0 && added > 0 && instead.front() != left;
  const int32_t before_right = added > 0 ? instead.back() : left;
  const bool skips_out = !at_end && before_right != right && (added > 0 || from > 0);
  middle_.assign(2 * added, 0);  // label, blank, label, blank, …
  arriving_.clear();
  for (const int32_t each : instead) arriving_.push_back(emissions_of(each).data());
  double total = 0, passed = 0, greatest = 0;  // passed: the mass of the text itself that enters label `to`
  bool alive = false;
  int64_t left_end = frames_.count;  // the last row with mass before the change
  while (left_end > 0 && alpha_label(left_end)[from] + alpha_blank(left_end)[from] < negligible) --left_end;
  size_t low = 0, high = 0;  // the new tokens [low, high) may have mass
  for (int64_t t = -1; t < frames_.count; ++t) {
    // At frame t: the mass of the label before the new tokens (it has the place `from`) and of the blank after it.
    const double left_label = alpha_label(t + 1)[from], left_blank = alpha_blank(t + 1)[from];
    if (!alive && left_label + left_blank < negligible && t + 1 < frames_.count) continue;
    alive = true;
    const double label = added > 0 ? middle_[2 * added - 2] : left_label;
    const double blank = added > 0 ? middle_[2 * added - 1] : left_blank;
    if (t + 1 == frames_.count) {
      if (at_end) total = label + blank;
      break;
    }
    if (!at_end) {
      const double arriving = blank + (skips_out ? label : 0);
      const double u = label_u(t + 1)[to + 1];
      total += arriving * u;
      passed += (alpha_blank(t + 1)[to] + skip_[to + 1] * alpha_label(t + 1)[to]) * u;
      greatest = arriving > 0 ? std::max(greatest, u) : greatest;
    }
    const double blank_emission = emissions_[static_cast<size_t>(t + 1) * classes_];
    double mass = left_label + left_blank;
    const size_t past = std::min(high + 1, added);
    for (size_t k = past; k-- > low;) {
      const double here = arriving_[k][t + 1];
      const double previous_blank = k > 0 ? middle_[2 * k - 1] : left_blank;
      const bool skips = k > 0 ? instead[k] != instead[k - 1] : skips_in;
      const double previous_label = !skips ? 0 : k > 0 ? middle_[2 * k - 2] : left_label;
      middle_[2 * k + 1] = (middle_[2 * k + 1] + middle_[2 * k]) * blank_emission;
      middle_[2 * k] = (middle_[2 * k] + previous_blank + previous_label) * here;
      mass += middle_[2 * k] + middle_[2 * k + 1];
    }
    if (past > high && middle_[2 * high] >= negligible) high = past;
    if (t + 1 > left_end)
      for (; low < high && middle_[2 * low] + middle_[2 * low + 1] < negligible; ++low)
        middle_[2 * low] = middle_[2 * low + 1] = 0;
    if (mass < negligible && t + 1 > left_end && !at_end) break;
  }
  if (negligible > 0 && !at_end && !(passed > most_passed * end_)) return std::nan("");
  const double result = total / end_;
  return result > least_ratio && result < 1 / least_ratio && greatest < greatest_u ? result : std::nan("");
}

}  // namespace ctckit
