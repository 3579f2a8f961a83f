"""Writes the output files, and the checkpoint that lets a stopped run continue."""
