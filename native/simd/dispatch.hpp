// Which instruction set the kernels run on: the best one this machine has, or the one asked for.
#pragma once
#include <string>
#include <vector>

#include "simd/align_kernel.hpp"
#include "simd/beam_kernel.hpp"
#include "simd/loss_kernel.hpp"
#include "simd/path_kernel.hpp"

namespace ctckit {

const Kernels& kernels();
const BeamKernels& beam_kernels();
const PathKernel& path_kernel();
const AlignKernel& align_kernel();

// Names of the compiled instruction sets that this machine can run, slowest first.
std::vector<std::string> instruction_sets();

std::string instruction_set();

// Throws std::invalid_argument for a name that instruction_sets() does not have.
void set_instruction_set(const std::string& name);

}  // namespace ctckit
