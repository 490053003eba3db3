#include "core/threads.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/platform.hpp"
#include "core/processors.hpp"

namespace ctckit {
namespace {

// One call of parallel_for. Each thread that joins takes the next number until none is left.
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

  // For teams of a fixed size: only the first `wanted` threads take part.
  void work_as_one_of(int wanted) {
    if (joined_.fetch_add(1) < wanted) work();
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const int64_t count_;
  const std::function<void(int64_t)>& task_;
  std::atomic<int64_t> next_{0};
  std::atomic<int> joined_{0};
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

  // Returns false if another call uses the pool.
  bool run(Job& job, int helpers) {
    const std::unique_lock owner(owner_, std::try_to_lock);
    if (!owner.owns_lock()) return false;
    {
      const std::lock_guard lock(mutex_);
      try {
        while (static_cast<int>(threads_.size()) < helpers) threads_.emplace_back([this] { serve(); });
      } catch (const std::system_error&) {
        // The system gives no more threads: the existing ones and the caller do the work.
      }
      job_ = &job;
      wanted_ = helpers;
    }
    wake_.notify_all();
    job.work();
    std::unique_lock lock(mutex_);
    wanted_ = 0;  // threads that have not joined yet are not needed
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

// The threads of an OpenMP runtime that another library owns: PyTorch, whose operators run just before and after ours.
// Its idle workers spin for some milliseconds before they sleep. A second pool would share the processors with them and
// take up to twice the time. So we use the same threads.
struct OpenMP {
  using Parallel = void (*)(void (*)(void*), void*, unsigned, unsigned);
  using Ask = int (*)();
  Parallel parallel = nullptr;
  Ask in_parallel = nullptr, max_threads = nullptr;
  // Every thread that opens a parallel region gets its own team: only this thread's team is shared.
  std::thread::id owner;

  bool run(Job& job, int wanted) const {
    if (!parallel || std::this_thread::get_id() != owner || in_parallel()) return false;
    // Always the whole team: for a smaller team the runtime would end the other threads.
    const int team = max_threads();
    if (team < wanted) return false;
    std::pair<Job*, int> work{&job, wanted};
    parallel(
        [](void* data) {
          const auto& [task, most] = *static_cast<std::pair<Job*, int>*>(data);
          task->work_as_one_of(most);
        },
        &work, static_cast<unsigned>(team), 0);
    return true;
  }
};

OpenMP openmp;
std::unique_ptr<Pool> pool;
std::atomic<int> threads{0};

void forget_threads_in_child() {
  openmp = {};
  (void)pool.release();  // its threads exist only in the parent; joining or destroying them here would hang
  pool = std::make_unique<Pool>();
}

Pool& the_pool() {
  static std::once_flag once;
  std::call_once(once, [] {
    pool = std::make_unique<Pool>();
    platform::at_fork(nullptr, nullptr, forget_threads_in_child);
  });
  return *pool;
}

}  // namespace

int num_threads() {
  const int count = threads.load();
  return count > 0 ? count : processors();
}

void set_num_threads(int count) { threads.store(count); }

bool share_openmp(const std::string& library) {
  the_pool();  // also registers the fork handler
  const auto find = [&](const char* symbol) { return platform::find_loaded(library, symbol); };
  OpenMP found;
  found.parallel = reinterpret_cast<OpenMP::Parallel>(find("GOMP_parallel"));
  found.in_parallel = reinterpret_cast<OpenMP::Ask>(find("omp_in_parallel"));
  found.max_threads = reinterpret_cast<OpenMP::Ask>(find("omp_get_max_threads"));
  found.owner = std::this_thread::get_id();
  if (!found.parallel || !found.in_parallel || !found.max_threads) return false;
  openmp = found;
  return true;
}

void parallel_for(int64_t count, const std::function<void(int64_t)>& task) {
  Job job(count, task);
  const int helpers = static_cast<int>(std::min<int64_t>(num_threads(), count)) - 1;
  if (helpers <= 0 || !(openmp.run(job, helpers + 1) || the_pool().run(job, helpers))) job.work();
  job.rethrow();
}

}  // namespace ctckit
