"""The beam search: ``plan`` holds its input and output, ``reference`` defines it, ``native`` is the fast one."""
