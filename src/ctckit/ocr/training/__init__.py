"""Training: ``loop`` runs it.

Its parts are ``config``, ``budget``, ``averaging``, ``curves``, ``checkpoint``, ``interruption``, ``devices``,
``evaluation``, ``progress`` and ``record``; ``observing`` tells others of the progress: ``log`` and ``tensorboard``.
"""
