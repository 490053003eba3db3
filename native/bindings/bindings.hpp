// The Python module _native. module.cpp binds the loss; the other files bind the folder that they are named after.
//
// Python checks shapes and contents before it calls (ctckit.kernels, _checks.py); the bindings check types only.
#pragma once
#include <nanobind/nanobind.h>

void bind_align(nanobind::module_& m);
void bind_lm(nanobind::module_& m);
void bind_search(nanobind::module_& m);
