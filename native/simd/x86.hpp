// What an x86-64 processor can do.
#pragma once

namespace ctckit::x86 {

// With FMA, BMI and BMI2.
bool has_avx2();

// The parts F, BW, DQ and VL.
bool has_avx512();

}  // namespace ctckit::x86
