"""Scorers: the ways to get a score for a matrix. Only the chosen one is imported."""
