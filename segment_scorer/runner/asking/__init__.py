"""Calls a hook with the host's own rules, and classifies people by its reply."""
