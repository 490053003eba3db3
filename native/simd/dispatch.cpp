#include "simd/dispatch.hpp"

#include <atomic>
#include <stdexcept>

#include "simd/x86.hpp"

namespace ctckit {

#define CTCKIT_DECLARE(isa)                                                                                            \
  namespace isa {                                                                                                      \
  extern const LossKernels loss_kernels;                                                                               \
  extern const BeamKernels beam_kernels;                                                                               \
  extern const PassesKernel passes_kernel;                                                                             \
  extern const PathKernel path_kernel;                                                                                 \
  extern const AlignKernel align_kernel;                                                                               \
  }                                                                                                                    \
  static const InstructionSet set_##isa = {isa::loss_kernels, isa::beam_kernels, isa::passes_kernel, isa::path_kernel, \
                                           isa::align_kernel};

namespace {

struct InstructionSet {
  const LossKernels& loss;
  const BeamKernels& beam;
  const PassesKernel& passes;
  const PathKernel& path;
  const AlignKernel& align;
};

}  // namespace

CTCKIT_DECLARE(baseline)
#if defined(CTCKIT_X86)
CTCKIT_DECLARE(avx2)
CTCKIT_DECLARE(avx512)
#endif

namespace {

std::vector<const InstructionSet*> available() {
  std::vector<const InstructionSet*> result = {&set_baseline};
#if defined(CTCKIT_X86)
  if (x86::has_avx2()) result.push_back(&set_avx2);
  if (x86::has_avx2() && x86::has_avx512()) result.push_back(&set_avx512);
#endif
  return result;
}

std::atomic<const InstructionSet*>& chosen() {
  static std::atomic<const InstructionSet*> set = available().back();
  return set;
}

}  // namespace

const LossKernels& loss_kernels() { return chosen().load()->loss; }
const BeamKernels& beam_kernels() { return chosen().load()->beam; }
const PassesKernel& passes_kernel() { return chosen().load()->passes; }
const PathKernel& path_kernel() { return chosen().load()->path; }
const AlignKernel& align_kernel() { return chosen().load()->align; }

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const InstructionSet* each : available()) names.emplace_back(each->loss.name);
  return names;
}

std::string instruction_set() { return loss_kernels().name; }

void set_instruction_set(const std::string& name) {
  std::string known;
  for (const InstructionSet* each : available()) {
    if (name == each->loss.name) {
      chosen().store(each);
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(each->loss.name);
  }
  throw std::invalid_argument("instruction set '" + name + "' is not available here; this machine has: " + known + ".");
}

}  // namespace ctckit
