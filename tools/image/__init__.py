"""Builds, starts and measures the image. Needs podman or docker. Only steps/ reaches the build."""
