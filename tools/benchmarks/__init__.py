"""Measures what the function costs, beside the physical limit and the common alternatives.

Run it as `python -m tools.benchmarks`.
"""
