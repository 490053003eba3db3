"""Measurements of ctckit and other libraries, on the same inputs in the same run.

::

    loss/       the loss and its gradient on the CPU: ``python -m benchmarks.loss``
    decoding/   beam search decoders: ``python -m benchmarks.decoding``
    alignment/  forced aligners: ``python -m benchmarks.alignment``
    gpu/        the loss on a GPU: ``python -m benchmarks.gpu``
    common/     what the four share
    results/    saved results
    notes/      the texts of the pages in docs/benchmarks; ``make bench-page`` adds the figures
"""
