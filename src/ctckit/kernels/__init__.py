"""The computations, by topic: ``loss``, ``align``, ``confidence``, ``search``, ``language_model``.

In each topic ``reference`` defines the result in plain Python and float64; ``native`` (the C++ core) and ``triton``
(GPUs) compute the same, faster, and are tested against it. Only this package imports the compiled core. It knows
numbers only: no text, no vocabulary. ``batch`` holds checked targets, ``runtime`` the core's threads and instruction
sets.
"""
