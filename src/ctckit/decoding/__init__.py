"""From log-probabilities to texts: greedy decoding, beam search, streams, and the tuning of their weights."""
