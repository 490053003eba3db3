"""Durations and confidences: expectations over all paths. ``reference`` defines them; ``native`` agrees with it."""
