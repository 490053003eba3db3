"""Training: ``loop`` runs it; checkpoints, evaluation, progress and the record of a run have a file each."""
