"""How fast the service and the jobs over many inputs are."""
