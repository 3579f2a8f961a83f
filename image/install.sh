#!/bin/sh
# In the build: install a hash-pinned requirements file ($1) into /opt/venv for an architecture ($2), less what no function imports.
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
# Test suites, C headers, and ONNX Runtime's tools for converting and tuning models.
find /opt/venv -type d \( -name tests -o -name include \) -prune -exec rm -r {} +
for tools in backend datasets quantization tools transformers; do
  rm -r /opt/venv/lib/python*/site-packages/onnxruntime/"$tools"
done
