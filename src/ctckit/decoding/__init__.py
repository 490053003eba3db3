"""From posteriors to texts."""
