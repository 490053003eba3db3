// A kept pool of threads that runs numbered tasks.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace ctckit {

// Threads used by one call at most, the calling one included. At first: the processors this process may use.
int num_threads();
void set_num_threads(int count);

// From now on calls from this thread run on the threads of an OpenMP runtime that is loaded already, given by its path,
// where it has enough of them. False where there is no such runtime.
bool share_openmp(const std::string& library);

// Runs task(0) … task(count − 1), each once, on up to num_threads() threads; returns when all have ended. The first
// exception is thrown again here. Calls from several threads at once are safe: one gets the pool, the others run their
// tasks alone. After a fork() the child starts with a pool of its own.
void parallel_for(int64_t count, const std::function<void(int64_t)>& task);

}  // namespace ctckit
