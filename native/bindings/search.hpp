// The Python face of the search; used by ctckit.kernels.native_search.
#pragma once
#include <nanobind/nanobind.h>

void bind_search(nanobind::module_& m);
