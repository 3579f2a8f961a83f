"""Train a bundle from people and their outcomes. Needs the extra `train`; never in an image."""
