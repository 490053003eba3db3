"""The loss on a GPU: ``launch`` calls the kernels. Each kernel has its own file; ``common`` has their shared parts."""
