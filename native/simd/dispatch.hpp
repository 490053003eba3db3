// Chooses the instruction set of the kernels: the best one of this machine, or the one that the caller names.
//
// The kernels of simd/ are compiled several times from the same source. The rest of the core calls them through the
// tables of function pointers below.
#pragma once
#include <string>
#include <vector>

#include "simd/align_kernel.hpp"
#include "simd/beam_kernel.hpp"
#include "simd/loss_kernel.hpp"
#include "simd/passes_kernel.hpp"
#include "simd/path_kernel.hpp"

namespace ctckit {

const LossKernels& loss_kernels();
const BeamKernels& beam_kernels();
const PassesKernel& passes_kernel();
const PathKernel& path_kernel();
const AlignKernel& align_kernel();

// Names of the compiled instruction sets that this machine can run, slowest first.
std::vector<std::string> instruction_sets();

std::string instruction_set();

// Throws std::invalid_argument for a name that instruction_sets() does not have.
void set_instruction_set(const std::string& name);

}  // namespace ctckit
