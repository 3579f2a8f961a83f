"""External attributes: what a store knows about people. Only the chosen store is imported."""
