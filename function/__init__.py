"""The function that Lambda runs: `handler.py` is the entry, `pipeline.py` the line of rooms."""
