"""The tables of the benchmark, a module each: `measure(plan)` gives a Table."""
