"""Acoustic front ends."""
