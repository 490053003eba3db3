// How many processors this process may use: the default of the number of threads.
#pragma once
#include <string>

namespace ctckit {

// The processors of the affinity mask, and no more than the CPU quota of the control groups, or of
// the job on Windows, allows. At least 1.
int processors();

// The processors that a CPU quota allows, rounded up; 0: there is no quota. A quota holds for all groups inside of the
// group that has it, so the smallest of the process's groups counts. `root` is where control groups are mounted: version
// 2, or version 1 with the controller in "cpu". `membership` is the list of the process's groups; in a container, a
// group may be mounted as the root, so the root is looked at as well. Files that are absent or odd mean: no quota.
int quota_processors(const std::string& root = "/sys/fs/cgroup", const std::string& membership = "/proc/self/cgroup");

}  // namespace ctckit
