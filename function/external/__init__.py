"""Profiles: what is known about a person in a store other than the host. Only the chosen store is imported."""
