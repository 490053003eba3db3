"""Forced aligners side by side: ``python -m benchmarks.alignment``.

``__main__`` (one call, row by row) → ``worker`` (one aligner, in a process of its own) → ``peers`` (each library in its
own conventions; ``no_cuda``: torchaudio on a CPU). ``problems``: what is aligned; ``exact``: the optimum in float64;
``goals``, ``page``: what the results say. Turns, summaries and the judging of goals are those of
``benchmarks.decoding``.
"""
