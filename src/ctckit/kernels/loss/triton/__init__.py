"""The loss on a GPU: ``launch`` calls the kernels, one file each, which share ``common``."""
