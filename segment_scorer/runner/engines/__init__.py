"""Processes chunks in local processes or on a Ray cluster."""
