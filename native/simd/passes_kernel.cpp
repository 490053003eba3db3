// Forward and backward over the states of one text: the transitions of lattice.hpp. search/passes.cpp says how the
// results are used.
#include "simd/passes_kernel.hpp"

#include "simd/vector.hpp"

namespace ctckit::CTCKIT_ISA {

namespace {

constexpr int width = lanes<double>;

void forward(const PassesProblem& given) {
  const PassesProblem problem = given;  // no array can be a part of it
  for (int64_t t = 0; t < problem.frames; ++t) {
    const double* const label = problem.label_alpha + t * problem.width;
    const double* const blank = problem.blank_alpha + t * problem.width;
    double* const label_after = problem.label_alpha + (t + 1) * problem.width;
    double* const blank_after = problem.blank_alpha + (t + 1) * problem.width;
    double* const emissions = problem.emissions + t * problem.classes;
    Vector<double> sum = {};
    for (int i = 0; i < problem.width; i += width) {
      const Vector<double> stay = load(label + i), skip = load(problem.skip + i) * load(label + i - 1);
      const Vector<double> labels =
          (stay + load(blank + i - 1) + skip) * gather_at<double>(emissions, problem.classes_at + i);
      const Vector<double> blanks = (load(blank + i) + stay) * emissions[0];
      store(label_after + i, labels);
      store(blank_after + i, blanks);
      sum += labels + blanks;
    }
    const double mass = horizontal_sum<double>(sum), scale = mass > 0 ? 1 / mass : 0;
    problem.scale[t] = scale;
    for (int i = 0; i < problem.width; i += width) {
      store(label_after + i, load(label_after + i) * scale);
      store(blank_after + i, load(blank_after + i) * scale);
    }
    for (int k = 0; k < problem.classes; ++k) emissions[k] *= scale;
  }
}

void backward(const PassesProblem& given) {
  const PassesProblem problem = given;
  for (int64_t t = problem.frames - 1; t >= 0; --t) {
    const double* const emissions = problem.emissions + t * problem.classes;
    double* const u = problem.label_u + t * problem.width;
    for (int i = 0; i < problem.width; i += width) {
      store(u + i, load(problem.label_beta + i) * gather_at<double>(emissions, problem.classes_at + i));
      store(problem.blank_u + i, load(problem.blank_beta + i) * emissions[0]);
    }
    for (int i = 0; i < problem.width; i += width) {
      const Vector<double> blank = load(problem.blank_u + i), next = load(u + i + 1);
      store(problem.label_beta + i, load(u + i) + blank + load(problem.skip + i + 1) * next);
      store(problem.blank_beta + i, blank + next);
    }
  }
}

}  // namespace

extern const PassesKernel passes_kernel;
const PassesKernel passes_kernel = {forward, backward};

}  // namespace ctckit::CTCKIT_ISA
