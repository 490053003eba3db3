"""Tests, in the folders of what they test; ``support`` has oracles, tolerances and random problems."""
