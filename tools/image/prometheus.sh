#!/usr/bin/env bash
# Makes a stand-in for Prometheus' own image, for machines without a registry: Debian's package of it.
# Needs root, podman and mmdebstrap. Makes localhost/standin/prometheus; `make up PROMETHEUS_IMAGE=localhost/standin/prometheus` uses it.
set -euo pipefail
name=localhost/standin/prometheus
root=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v mmdebstrap >/dev/null; then
  echo "tools/image/prometheus.sh: expected mmdebstrap; apt-get install mmdebstrap" >&2
  exit 1
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Its command line takes the options of the official image.
mmdebstrap --quiet --variant=minbase --include=prometheus \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  trixie "$scratch/prometheus.tar"
cd "$root"
python3 - "$name" "$scratch/prometheus.tar" <<'PYTHON'
import sys
from tools.image.engine import find_engine

name, archive = sys.argv[1:]
settings = ["ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", 'ENTRYPOINT ["/usr/bin/prometheus"]', "USER 65534"]
find_engine().ask("import", *(f"--change={setting}" for setting in settings), archive, name)
print(f"made {name}")
PYTHON
