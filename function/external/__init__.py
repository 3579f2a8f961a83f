"""External attributes: facts about people from a store other than the host. Only the chosen store is imported."""
