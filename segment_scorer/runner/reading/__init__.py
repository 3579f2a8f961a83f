"""Reads segment files and cuts them into batches of records."""
