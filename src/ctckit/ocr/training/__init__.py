"""Training: ``loop`` runs it; ``checkpoint``, ``evaluation``, ``progress`` and ``record`` are its parts."""
