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
// Nats: a smaller difference may be a rounding error. So equally likely texts stay equal, on all instruction sets.
constexpr double rounding = 1e-12;
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
  width_ = (tokens_.size() + 1) / block * block + block;
  const auto size = static_cast<size_t>(frames_.count) * width_;
  label_alpha_ = std::make_unique_for_overwrite<double[]>(block + width_ + size);
  blank_alpha_ = std::make_unique_for_overwrite<double[]>(block + width_ + size);
  label_u_ = std::make_unique_for_overwrite<double[]>(size + block);
  skip_.assign(width_ + block, 0);
  for (size_t i = 1; i < tokens_.size(); ++i) skip_[i + 1] = may_skip(i);
  find_emissions();
  run(column);
}

// The emissions of the blank, of the text's other classes, and a 0 for places without a label.
void Passes::find_emissions() {
  std::vector<int32_t> classes = {frames_.blank};
  std::vector<size_t> places;
  for (const int32_t token : tokens_) {
    const auto known = std::ranges::find(classes, token);
    places.push_back(static_cast<size_t>(known - classes.begin()));
    if (known == classes.end()) classes.push_back(token);
  }
  const size_t rows = static_cast<size_t>(frames_.count), count = classes.size();
  classes_ = count + 1;
  classes_at_.assign(width_, static_cast<int32_t>(count));
  std::ranges::transform(places, classes_at_.begin() + 1, [](size_t place) { return static_cast<int32_t>(place); });
  std::vector<float> scores(rows * count),
      exponentials(static_cast<size_t>(whole_blocks(static_cast<int>(scores.size()))));
  frames_.gather(classes, scores.data());
  for (auto frame = scores.begin(); frame != scores.end(); frame += static_cast<std::ptrdiff_t>(count)) {
    const auto end = frame + static_cast<std::ptrdiff_t>(count);
    const float top = *std::max_element(frame, end);
    top_.push_back(std::isinf(top) ? 0 : top);
    std::for_each(frame, end, [&](float& score) { score -= top_.back(); });
  }
  beam_kernels().exponentials(scores.data(), static_cast<int>(scores.size()), exponentials.data());
  emissions_.resize(rows * classes_);
  for (size_t t = 0; t < rows; ++t)
    for (size_t k = 0; k < count; ++k)
      emissions_[t * classes_ + k] = exact_if_zero(exponentials[t * count + k], scores[t * count + k]);
}

// The states begin with the masses of a column.
void Passes::run(std::span<const double> column) {
  const size_t count = tokens_.size();
  std::fill_n(label_alpha_.get(), block + width_, 0);
  std::fill_n(blank_alpha_.get(), block + width_, 0);
  for (size_t s = 0; s < std::min(column.size(), 2 * count + 1); ++s)
    (s % 2 ? alpha_label(0)[s / 2 + 1] : alpha_blank(0)[s / 2]) = std::exp(column[s]);
  std::fill_n(label_u(frames_.count), block, 0);
  std::vector<double> label_beta(width_), blank_beta(width_), blank_u(width_);
  blank_beta[count] = 1;
  if (count > 0) label_beta[count] = 1;
  scale_.resize(static_cast<size_t>(frames_.count));
  const PassesProblem problem{frames_.count,
                              static_cast<int>(width_),
                              static_cast<int>(classes_),
                              classes_at_.data(),
                              skip_.data(),
                              emissions_.data(),
                              scale_.data(),
                              alpha_label(0),
                              alpha_blank(0),
                              label_u(0),
                              label_beta.data(),
                              blank_beta.data(),
                              blank_u.data()};
  passes_kernel().forward(problem);
  end_ = alpha_blank(frames_.count)[count] + alpha_label(frames_.count)[count];
  if (end_ > 0) passes_kernel().backward(problem);
}

// The scaled emissions of a class in all frames, as in emissions_.
const std::vector<double>& Passes::emissions_of(int32_t token) {
  const auto known = std::ranges::find(columns_, token, &Column::token);
  if (known != columns_.end()) return known->emissions;
  const size_t rows = top_.size();
  std::vector<float> scores(rows), exponentials(static_cast<size_t>(whole_blocks(static_cast<int>(rows))));
  frames_.gather({&token, 1}, scores.data());
  for (size_t t = 0; t < rows; ++t) scores[t] -= top_[t];
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

double Passes::gain(size_t from, size_t to, std::span<const int32_t> instead) {
  if (!(end_ > 0)) return std::nan("");  // the text is impossible
  from += closed_, to += closed_;
  const double near = end_ > least_ratio ? ratio(from, to, instead, negligible) : std::nan("");
  const double result = std::log(std::isnan(near) ? ratio(from, to, instead, 0) : near);
  return std::abs(result) < rounding ? 0 : result;
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
