"""What the function costs, against the physical limit and against what people would otherwise build. `python -m benchmarks` measures."""
