"""Training: ``loop`` runs it.

Its parts are ``config``, ``curves``, ``checkpoint``, ``interruption``, ``devices``, ``evaluation``, ``observing``,
``progress`` and ``record``.
"""
