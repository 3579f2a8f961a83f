"""The campaign runner: sends a segment to a hook as a host does, and writes the results."""
