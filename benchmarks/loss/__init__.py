"""The loss and its gradient on the CPU, side by side with other libraries: ``python -m benchmarks.loss``."""
