"""Calls a hook as the host would, with the host's own rules."""
