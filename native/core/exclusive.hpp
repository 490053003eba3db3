// An object that one thread at a time may use. Python calls release the GIL, so a second thread can call in the meantime:
// it gets an error, never a race.
#pragma once
#include <atomic>
#include <concepts>
#include <stdexcept>
#include <utility>

namespace ctckit {

template <class T>
class Exclusive {
 public:
  template <class... Arguments>
    requires std::constructible_from<T, Arguments...>
  explicit Exclusive(Arguments&&... arguments) : object_(std::forward<Arguments>(arguments)...) {}

  // Calls `use` with the object. Throws if another thread is using it.
  template <class Use>
  auto use(const Use& use) {
    const Claim claim(busy_);
    return use(object_);
  }

 private:
  class Claim {
   public:
    explicit Claim(std::atomic_flag& busy) : busy_(busy) {
      if (busy.test_and_set(std::memory_order_acquire))
        throw std::runtime_error("another thread is using this object. Use a lock, or one object for each thread.");
    }
    ~Claim() { busy_.clear(std::memory_order_release); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

   private:
    std::atomic_flag& busy_;
  };

  T object_;
  std::atomic_flag busy_;
};

}  // namespace ctckit
