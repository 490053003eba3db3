"""The likeliest path of a target: ``reference`` defines it; ``native`` and ``triton`` agree with it."""
