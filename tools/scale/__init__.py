"""What 1, 10 and 100 million people take and cost, computed from measured slopes and from prices.

`python -m tools.scale` writes the table of docs/runner.md from committed JSON.
"""
