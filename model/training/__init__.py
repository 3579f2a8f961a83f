"""Train a bundle from people and their outcomes. Needs the extra `train`; the image never contains this package."""
