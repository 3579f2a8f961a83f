"""Builds the stores of external attributes that `function.external` reads."""
