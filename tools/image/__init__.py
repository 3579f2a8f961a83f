"""How the image is built, started and measured. Needs podman or docker; nothing here is in the image but `entrypoint.sh`."""
