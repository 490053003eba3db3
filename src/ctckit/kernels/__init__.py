"""The computations, by topic: ``loss``, ``align``, ``confidence``, ``search``.

In each topic ``reference`` defines the result in plain Python and float64. ``native`` (the C++ core) and ``triton``
(GPUs) compute the same result faster and are tested against it. Only this package imports the compiled core. It handles
numbers, never text or vocabularies. ``batch`` has the checked targets, ``runtime`` the threads and instruction sets of
the core, ``ngram`` its n-gram model.
"""

from ctckit.kernels.runtime import use_environment

use_environment()
del use_environment
