#include "search/passes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ctckit {

namespace {

constexpr double impossible = -std::numeric_limits<double>::infinity();
// A gain below e^-69, or one through a u above this, may have lost parts to underflow.
constexpr double least_ratio = 1e-30, greatest_u = 1e250;

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
  emissions_.resize(static_cast<size_t>(frames_.count) * classes_);
  for (int64_t t = 0; t < frames_.count; ++t) {
    double* const row = emissions_.data() + static_cast<size_t>(t) * classes_;
    float top = -std::numeric_limits<float>::infinity();
    for (const int32_t each : classes) top = std::max(top, frames_.frame(t)[each]);
    if (std::isinf(top)) top = 0;
    for (size_t k = 0; k < classes_; ++k)
      row[k] = std::exp(static_cast<double>(frames_.frame(t)[classes[k]]) - static_cast<double>(top));
    top_.push_back(static_cast<double>(top));
  }
}

double Passes::emission(int64_t t, int32_t token) const {
  const auto k = static_cast<size_t>(t);
  return std::exp(static_cast<double>(frames_.frame(t)[token]) - top_[k]) * scale_[k];
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
    log_prob_ += top_[static_cast<size_t>(t)] + std::log(sum);
    for (size_t i = 0; i <= count; ++i) next_blank[i] *= scale_.back(), next_label[i] *= scale_.back();
    for (size_t k = 0; k < classes_; ++k) row[k] *= scale_.back();
  }
  end_ = alpha_blank(frames_.count)[count] + alpha_label(frames_.count)[count];
  log_prob_ = end_ > 0 ? log_prob_ + std::log(end_) : impossible;
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
  const size_t count = tokens_.size(), added = instead.size();
  from += closed_, to += closed_;
  const bool at_end = to == count;
  const int32_t left = from > 0 ? tokens_[from - 1] : frames_.blank;
  const int32_t right = at_end ? frames_.blank : tokens_[to];
  const bool skips_in = from > 0 && added > 0 && instead.front() != left;
  const int32_t before_right = added > 0 ? instead.back() : left;
  const bool skips_out = !at_end && before_right != right && (added > 0 || from > 0);
  middle_.assign(2 * added, 0);  // label, blank, label, blank, …
  double total = 0, greatest = 0;
  for (int64_t t = -1; t < frames_.count; ++t) {
    // At frame t: the mass of the last label and of the blank after it.
    const double left_label = from > 0 ? alpha_label(t + 1)[from] : 0, left_blank = alpha_blank(t + 1)[from];
    const double label = added > 0 ? middle_[2 * added - 2] : left_label;
    const double blank = added > 0 ? middle_[2 * added - 1] : left_blank;
    if (t + 1 == frames_.count) {
      if (at_end) total = label + blank;
      break;
    }
    if (!at_end) {
      const double arriving = blank + (skips_out ? label : 0);
      const double u = label_u(t + 1)[to + 1];
      if (arriving > 0) {
        total += arriving * u;
        greatest = std::max(greatest, u);
      }
    }
    const double blank_emission = emissions_[static_cast<size_t>(t + 1) * classes_];
    for (size_t k = added; k-- > 0;) {
      const double here = emission(t + 1, instead[k]);
      const double previous_blank = k > 0 ? middle_[2 * k - 1] : left_blank;
      const bool skips = k > 0 ? instead[k] != instead[k - 1] : skips_in;
      const double previous_label = !skips ? 0 : k > 0 ? middle_[2 * k - 2] : left_label;
      middle_[2 * k + 1] = (middle_[2 * k + 1] + middle_[2 * k]) * blank_emission;
      middle_[2 * k] = (middle_[2 * k] + previous_blank + previous_label) * here;
    }
  }
  const double ratio = total / end_;
  const bool reliable = ratio > least_ratio && ratio < 1 / least_ratio && greatest < greatest_u;
  return reliable ? std::log(ratio) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace ctckit
