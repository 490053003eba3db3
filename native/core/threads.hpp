// A thread pool that runs numbered tasks and stays alive between calls.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace ctckit {

// The largest number of threads in one call, the caller included. The default: processors().
int num_threads();
void set_num_threads(int count);

// Makes later calls from this thread use the threads of an OpenMP runtime, given by the path of its loaded library, if
// the runtime has enough threads. Returns false if no such library is loaded.
bool share_openmp(const std::string& library);

// Runs task(0) … task(count − 1), each once, on up to num_threads() threads, and returns when all have ended. Rethrows
// the first exception. Several threads may call at once: one gets the pool, the others run their tasks alone. After a
// fork() the child starts its own pool.
void parallel_for(int64_t count, const std::function<void(int64_t)>& task);

}  // namespace ctckit
