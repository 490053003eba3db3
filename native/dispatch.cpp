#include "dispatch.hpp"

#include <atomic>
#include <stdexcept>

namespace ctckit {

namespace baseline {
extern const Kernels kernels;
}
#if defined(CTCKIT_X86)
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}
#endif

namespace {

std::vector<const Kernels*> available() {
  std::vector<const Kernels*> result = {&baseline::kernels};
#if defined(CTCKIT_X86)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2) result.push_back(&avx2::kernels);
  if (avx2 && avx512) result.push_back(&avx512::kernels);
#endif
  return result;
}

std::atomic<const Kernels*>& chosen() {
  static std::atomic<const Kernels*> kernels = available().back();
  return kernels;
}

}  // namespace

const Kernels& kernels() { return *chosen().load(); }

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Kernels* each : available()) names.emplace_back(each->name);
  return names;
}

std::string instruction_set() { return kernels().name; }

void set_instruction_set(const std::string& name) {
  std::string known;
  for (const Kernels* each : available()) {
    if (name == each->name) {
      chosen().store(each);
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(each->name);
  }
  throw std::invalid_argument("instruction set '" + name + "' is not available here; this machine has: " + known + ".");
}

}  // namespace ctckit
