"""Random calls, right and wrong ones: ``python -m tests.fuzz.calls``."""
