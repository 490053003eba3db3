"""Random valid and invalid calls: ``python -m tests.fuzz.calls``."""
