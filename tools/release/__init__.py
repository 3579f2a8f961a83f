"""Pushes an image, deploys the stack, retrains and redeploys."""
