"""Segment files in, batches of records out."""
