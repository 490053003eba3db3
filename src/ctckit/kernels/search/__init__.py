"""The beam search: ``plan`` says what is searched for, ``reference`` defines the search, ``native`` agrees with it."""
