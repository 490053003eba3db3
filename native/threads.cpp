#include "threads.hpp"

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace ctckit {
namespace {

// One call of parallel_for: the threads that join in take the next number until none is left.
class Job {
 public:
  Job(int64_t count, const std::function<void(int64_t)>& task) : count_(count), task_(task) {}

  void work() {
    for (int64_t i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) {
      try {
        task_(i);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        next_.store(count_);
      }
    }
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const int64_t count_;
  const std::function<void(int64_t)>& task_;
  std::atomic<int64_t> next_{0};
  std::mutex mutex_;
  std::exception_ptr error_;
};

class Pool {
 public:
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& each : threads_) each.join();
  }

  // False where another call has the pool.
  bool run(Job& job, int helpers) {
    const std::unique_lock owner(owner_, std::try_to_lock);
    if (!owner.owns_lock()) return false;
    {
      const std::lock_guard lock(mutex_);
      try {
        while (static_cast<int>(threads_.size()) < helpers) threads_.emplace_back([this] { serve(); });
      } catch (const std::system_error&) {
        // The system gives no more threads: those that are there, and the caller, do the work.
      }
      job_ = &job;
      wanted_ = helpers;
    }
    wake_.notify_all();
    job.work();
    std::unique_lock lock(mutex_);
    wanted_ = 0;  // who has not joined by now need not
    idle_.wait(lock, [this] { return active_ == 0; });
    return true;
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || wanted_ > 0; });
      if (stopping_) return;
      --wanted_;
      ++active_;
      Job& job = *job_;
      lock.unlock();
      job.work();
      lock.lock();
      if (--active_ == 0) idle_.notify_one();
    }
  }

  std::mutex owner_, mutex_;
  std::condition_variable wake_, idle_;
  std::vector<std::thread> threads_;
  Job* job_ = nullptr;
  int wanted_ = 0, active_ = 0;
  bool stopping_ = false;
};

std::unique_ptr<Pool> pool;
std::atomic<int> threads{0};

void forget_pool_in_child() {
  (void)pool.release();  // its threads exist in the parent only; joining or destroying them here would hang
  pool = std::make_unique<Pool>();
}

Pool& the_pool() {
  static std::once_flag once;
  std::call_once(once, [] {
    pool = std::make_unique<Pool>();
    pthread_atfork(nullptr, nullptr, forget_pool_in_child);
  });
  return *pool;
}

int processors() {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

int num_threads() {
  const int count = threads.load();
  return count > 0 ? count : processors();
}

void set_num_threads(int count) { threads.store(count); }

void parallel_for(int64_t count, const std::function<void(int64_t)>& task) {
  Job job(count, task);
  const int helpers = static_cast<int>(std::min<int64_t>(num_threads(), count)) - 1;
  if (helpers <= 0 || !the_pool().run(job, helpers)) job.work();
  job.rethrow();
}

}  // namespace ctckit
