"""Networks that read line images."""
