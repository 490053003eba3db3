#include "core/processors.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

#include "core/platform.hpp"

namespace ctckit {
namespace {

constexpr int no_quota = std::numeric_limits<int>::max();
constexpr int not_asked = -1;

// A quota is not a number ("max") or negative where there is none.
int rounded_up(std::istream& quota_file, std::istream& period_file) {
  int64_t quota = 0, period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return no_quota;
  return static_cast<int>(std::min<int64_t>(quota / period + (quota % period != 0), no_quota));
}

int quota_of_version_2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  return rounded_up(file, file);
}

int quota_of_version_1(const std::string& folder) {
  std::ifstream quota(folder + "/cpu.cfs_quota_us"), period(folder + "/cpu.cfs_period_us");
  return rounded_up(quota, period);
}

// The smallest quota of a group and of all groups around it.
int smallest_quota(const std::string& root, std::string group, int (*quota_of)(const std::string&)) {
  int smallest = no_quota;
  while (true) {
    smallest = std::min(smallest, quota_of(root + group));
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return smallest;
    group.resize(slash);
  }
}

}  // namespace

int quota_processors(const std::string& root, const std::string& membership) {
  std::string version_1, version_2;
  std::ifstream groups(membership);
  for (std::string line; std::getline(groups, line);) {  // "4:cpu,cpuacct:/group", or "0::/group" in version 2
    const size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    if (controllers == ",,") version_2 = line.substr(second + 1);
    if (controllers.find(",cpu,") != std::string::npos) version_1 = line.substr(second + 1);
  }
  const int smallest = std::min({smallest_quota(root, version_2, quota_of_version_2),
                                 smallest_quota(root + "/unified", version_2, quota_of_version_2),
                                 smallest_quota(root + "/cpu", version_1, quota_of_version_1)});
  return smallest == no_quota ? 0 : smallest;
}

int processors() {
  // Not a static of the function: a child that is forked while another thread computes it would wait for ever.
  static std::atomic<int> asked{not_asked};
  int quota = asked.load();
  if (quota == not_asked) {
    quota = quota_processors();
    if (quota == 0) quota = platform::job_quota_processors();
    asked.store(quota);
  }
  const int allowed = platform::allowed_processors();
  return quota > 0 ? std::min(allowed, quota) : allowed;
}

}  // namespace ctckit
