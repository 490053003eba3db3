// Many callers at once, and forks: under ThreadSanitizer (`make native-check-threads`), under AddressSanitizer
// (`make native-check`), and in a release build (`make fuzz`).
//
// Each caller has its own batches and compares the results with those of a single thread, bit by bit. Every array has
// exactly the promised size.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "align/align.hpp"
#include "core/buffers.hpp"
#include "core/exclusive.hpp"
#include "core/threads.hpp"
#include "loss/hvp.hpp"
#include "loss/loss.hpp"
#include "simd/dispatch.hpp"

#if defined(__has_feature)  // Clang's macro; GCC has its own
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#elif __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
constexpr bool can_fork = false, can_fork_while_busy = false;  // no forks of threaded processes under ThreadSanitizer
#elif defined(__SANITIZE_ADDRESS__)
constexpr bool can_fork = true, can_fork_while_busy = false;  // the allocator may stay locked in the child
#else
constexpr bool can_fork = true, can_fork_while_busy = true;
#endif

namespace {

void expect(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::_Exit(1);  // no destructors while other threads run
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), sizeof a[0] * a.size()) == 0);
}

template <class Logit>
struct Problem {
  int B, T, C, N;
  std::vector<Logit> logits, direction, log_probs;
  std::vector<int32_t> targets;
  std::vector<int64_t> input_lengths, target_lengths;
  std::vector<double> weights;

  struct Answer {
    std::vector<double> losses;
    std::vector<Logit> gradient, hvp;
    std::vector<double> best;
    std::vector<int64_t> starts, ends;

    bool operator==(const Answer& other) const {
      return same_bits(losses, other.losses) && same_bits(gradient, other.gradient) && same_bits(hvp, other.hvp) &&
             same_bits(best, other.best) && same_bits(starts, other.starts) && same_bits(ends, other.ends);
    }
  };

  ctckit::Batch<Logit> batch() const {
    ctckit::Batch<Logit> result{};
    result.logits = logits.data(), result.item_stride = int64_t{T} * C, result.frame_stride = C;
    result.items = B, result.frames = T, result.classes = C;
    result.targets = targets.data(), result.target_stride = N;
    result.input_lengths = input_lengths.data(), result.target_lengths = target_lengths.data();
    result.blank = 0, result.input_kind = ctckit::InputKind::logits, result.weights = weights.data();
    return result;
  }

  Answer solve() const {
    const Logit poison = std::numeric_limits<Logit>::quiet_NaN();
    Answer answer{
        std::vector<double>(B), std::vector<Logit>(logits.size(), poison), {},
        std::vector<double>(B), std::vector<int64_t>(targets.size(), -1),  std::vector<int64_t>(targets.size(), -1)};
    ctckit::Batch<Logit> all = batch();
    all.losses = answer.losses.data(), all.gradient = answer.gradient.data();
    ctckit::ctc_loss(all);
    answer.hvp = hvp(direction);
    align(answer);
    return answer;
  }

  void align(Answer& answer) const {
    ctckit::AlignBatch<Logit> all{};
    all.log_probs = log_probs.data(), all.item_stride = int64_t{T} * C, all.frame_stride = C, all.items = B;
    all.classes = C, all.blank = 0, all.tokens = targets.data(), all.token_stride = N;
    all.input_lengths = input_lengths.data(), all.token_lengths = target_lengths.data();
    ctckit::AlignOptions options;
    options.checkpoint_frames = 16, options.single_from = options.prune_from = 0;
    ctckit::align_batch(all, options, {answer.best.data(), answer.starts.data(), answer.ends.data(), nullptr});
  }

  std::vector<Logit> hvp(const std::vector<Logit>& along) const {
    std::vector<Logit> result(logits.size(), std::numeric_limits<Logit>::quiet_NaN());
    ctckit::ctc_hvp(batch(), along.data(), result.data());
    return result;
  }
};

template <class Logit>
Problem<Logit> random_problem(std::mt19937_64& random) {
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  std::normal_distribution<double> normal(0, 2);
  Problem<Logit> p;
  p.B = pick(0, 9), p.T = pick(0, 40), p.C = pick(2, 40), p.N = pick(0, 12);
  for (int k = 0; k < p.B * p.T * p.C; ++k) p.logits.push_back(static_cast<Logit>(normal(random)));
  for (int k = 0; k < p.B * p.T * p.C; ++k) p.direction.push_back(static_cast<Logit>(normal(random)));
  for (const Logit each : p.logits) p.log_probs.push_back(-std::abs(each));
  for (int k = 0; k < p.B * p.N; ++k) p.targets.push_back(pick(1, p.C - 1));
  for (int b = 0; b < p.B; ++b) {
    p.input_lengths.push_back(pick(0, p.T)), p.target_lengths.push_back(pick(0, p.N));
    p.weights.push_back(0.5 * pick(-1, 3));
  }
  return p;
}

void in_threads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> callers;
  for (int k = 0; k < count; ++k) callers.emplace_back(work, k);
  for (std::thread& each : callers) each.join();
}

// One caller gets the pool, the others run alone, while the number of threads changes.
template <class Logit>
void check_callers_with_batches_of_their_own(int rounds) {
  std::mt19937_64 random(7);
  std::vector<Problem<Logit>> problems;
  std::vector<typename Problem<Logit>::Answer> expected;
  ctckit::set_num_threads(1);
  for (int k = 0; k < 12; ++k) {
    problems.push_back(random_problem<Logit>(random));
    expected.push_back(problems.back().solve());
  }
  in_threads(4, [&](int caller) {
    for (int round = 0; round < rounds; ++round) {
      ctckit::set_num_threads(1 + (caller + round) % 4);
      const size_t k = static_cast<size_t>(caller + 5 * round) % problems.size();
      expect(problems[k].solve() == expected[k], "callers at once get the bits of one alone");
    }
  });
}

// The Hessian is symmetric: u · Hv = v · Hu.
void check_hvp_is_symmetric() {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200; ++round) {
    const Problem<double> p = random_problem<double>(random);
    const auto inner = [](const std::vector<double>& a, const std::vector<double>& b) {
      double sum = 0;
      for (size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
      return sum;
    };
    const std::vector<double> once = p.hvp(p.direction), twice = p.hvp(once);
    const double one = inner(once, once), other = inner(p.direction, twice);
    expect(std::fabs(one - other) <= 1e-10 * std::max(1.0, std::fabs(one)), "the curvature is symmetric");
  }
}

// Only the owner of a buffer uses its memory, even after reuse.
void check_buffers() {
  in_threads(4, [](int caller) {
    for (int round = 0; round < 300; ++round) {
      const size_t size = (size_t{1} << 16) << ((caller + round) % 3);
      const ctckit::Buffer buffer(size);
      auto* bytes = static_cast<unsigned char*>(buffer.data());
      for (size_t k = 0; k < size; k += 4096) bytes[k] = static_cast<unsigned char>(caller);
      bytes[size - 1] = static_cast<unsigned char>(caller);
      for (size_t k = 0; k < size; k += 4096) expect(bytes[k] == caller, "a buffer has one owner");
    }
  });
}

// Whether a call gets helpers: each of two tasks waits until the other has begun.
bool tasks_meet() {
  std::atomic<int> begun{0};
  std::atomic<bool> met{true};
  ctckit::parallel_for(2, [&](int64_t) {
    ++begun;
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (begun < 2 && met) {
      if (std::chrono::steady_clock::now() > limit) met = false;
      std::this_thread::yield();
    }
  });
  return met;
}

// Every index runs once, and an exception reaches its own caller only.
void check_tasks() {
  ctckit::set_num_threads(3);
  expect(tasks_meet(), "the pool helps");
  in_threads(4, [](int caller) {
    for (int round = 0; round < 100; ++round) {
      std::vector<std::atomic<int>> done(50);
      bool thrown = false;
      try {
        ctckit::parallel_for(50, [&](int64_t i) {
          done[static_cast<size_t>(i)]++;
          if (caller % 2 && i == 30) throw std::runtime_error("30");
        });
      } catch (const std::runtime_error&) {
        thrown = true;
      }
      expect(thrown == (caller % 2 == 1), "an exception reaches its own caller");
      for (const auto& each : done) expect(each <= 1 && (thrown || each == 1), "each task runs once");
    }
  });
}

// Under ThreadSanitizer: several threads use one object; each call is alone or refused.
void check_exclusive_objects() {
  ctckit::Exclusive<std::vector<int>> owned;
  std::atomic<int> added{0}, refused{0};
  in_threads(4, [&](int caller) {
    for (int i = 0; i < 2000; ++i) {
      try {
        owned.use([&](std::vector<int>& numbers) { numbers.push_back(caller); });
        ++added;
      } catch (const std::runtime_error&) {
        ++refused;
      }
    }
  });
  expect(added + refused == 8000 && added > 0, "a call is alone or refused");
  const size_t size = owned.use([](std::vector<int>& numbers) { return numbers.size(); });
  expect(size == static_cast<size_t>(added), "a refused call changes nothing");
}

// A caller that finds the pool in use runs alone and does not wait: the other tasks may wait for this one.
void check_a_taken_pool() {
  ctckit::set_num_threads(2);
  std::atomic<int> inside{0};
  std::atomic<bool> release{false};
  std::thread other([&] {
    ctckit::parallel_for(2, [&](int64_t) {
      ++inside;
      while (!release) std::this_thread::yield();
    });
  });
  while (inside < 2) std::this_thread::yield();
  std::atomic<int> done{0};
  ctckit::parallel_for(5, [&](int64_t) { ++done; });
  expect(done == 5, "a caller without the pool does its own work");
  release = true;
  other.join();
}

// After a fork the child computes with its own pool and exits, whether the parent's threads were busy or idle.
void check_forks(bool parent_is_busy) {
  std::mt19937_64 random(13);
  Problem<float> problem = random_problem<float>(random);
  while (problem.B < 4 || problem.T < 10) problem = random_problem<float>(random);
  ctckit::set_num_threads(1);
  const auto expected = problem.solve();
  ctckit::set_num_threads(3);
  std::atomic<bool> stop{!parent_is_busy};
  std::thread busy([&] {
    do expect(problem.solve() == expected, "the parent goes on while it forks");
    while (!stop);
  });
  if (!parent_is_busy) busy.join();
  for (int round = 0; round < 20; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // turns a hanging child into a failure
      const bool right = problem.solve() == expected && tasks_meet();
      // exit() runs the destructors of the child's pool. Leak checks are off: memory of the parent's threads looks
      // leaked.
      if (can_fork_while_busy && !parent_is_busy) std::exit(right ? 0 : 1);
      std::_Exit(right ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    expect(status == 0, "a forked child computes the same, status " + std::to_string(status));
  }
  stop = true;
  if (busy.joinable()) busy.join();
}

// A child allocates and frees buffers, even if a thread of the parent was doing so during the fork.
void check_forks_amid_buffers() {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) ctckit::Buffer{size_t{1} << 22};
  });
  for (int round = 0; round < 300; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      {
        const ctckit::Buffer own(size_t{1} << 22);
      }
      std::_Exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    expect(status == 0, "a forked child has buffers, status " + std::to_string(status));
  }
  stop = true;
  busy.join();
}

}  // namespace

int main() {
  for (const std::string& name : ctckit::instruction_sets()) {
    ctckit::set_instruction_set(name);
    check_callers_with_batches_of_their_own<float>(150);
    check_callers_with_batches_of_their_own<double>(150);
  }
  check_hvp_is_symmetric();
  check_buffers();
  check_tasks();
  check_exclusive_objects();
  check_a_taken_pool();
  if (can_fork) check_forks(false);
  if (can_fork_while_busy) check_forks(true);
  if (can_fork_while_busy) check_forks_amid_buffers();
  std::printf("threads: passed\n");
}
