"""The loss on a GPU, compared with torch's own kernels and with cuDNN.

::

    __main__.py    python -m benchmarks.gpu: the command
    peers.py       the libraries, each with its own conventions
    measure.py     checks, times and memory on the device
    page.py        docs/benchmarks/gpu.md from a saved run
"""
