"""The most likely path of a target. ``reference`` defines it; ``native`` and ``triton`` return the same path."""
