"""Beam search decoders side by side: ``python -m benchmarks.decoding``.

``__main__`` (one call) → ``measure`` (one row of the results: check, tune, take turns) → ``worker`` (one decoder, in a
process of its own) → ``peers`` (the list of decoders), ``ours``, ``texts``, ``flashlight``, ``others`` (each library in
its own conventions). ``data``: the posteriors; ``rows``: what is measured; ``exact``: float64 probabilities and
errors; ``goals``, ``tables``, ``page``, ``figure``: what the results say.
"""
