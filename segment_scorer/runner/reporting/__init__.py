"""The statistics of a run, and the report page made of them."""
