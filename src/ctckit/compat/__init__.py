"""The names, shapes and results of other libraries, on ctckit's kernels: change an import line, keep the code."""
