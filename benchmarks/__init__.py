"""Measurements, side by side with peers, on the same inputs in the same run."""
