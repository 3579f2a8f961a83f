#!/bin/sh
# In the build: install a hash-pinned requirements file ($1) into /opt/venv for an architecture ($2), then prune it.
# Build steps use only a shell, chmod and Python: the smallest base has little more (tests/image/bare.py).
set -eu
case "$2" in
  amd64) platform=x86_64-manylinux_2_28 ;;
  arm64) platform=aarch64-manylinux_2_28 ;;
  *) echo "Dockerfile: expected the platform linux/amd64 or linux/arm64" >&2; exit 1 ;;
esac
if [ -s /run/secrets/ca-bundle ]; then export SSL_CERT_FILE=/run/secrets/ca-bundle; fi
python -m venv --without-pip /opt/venv
UV_SYSTEM_CERTS=1 /build/uv/bin/uv pip install --quiet --no-cache --link-mode copy --python /opt/venv --python-platform "$platform" \
  --only-binary :all: --no-deps --require-hashes -r "$1"
python /build/prune.py /opt/venv
