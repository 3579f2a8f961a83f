"""How chunks are processed: in local processes or on a Ray cluster."""
