#!/usr/bin/env bash
# Makes a stand-in for the official slim image, for machines without a registry: Debian trixie with its own Python 3.13.
# Needs root, podman and mmdebstrap. Makes localhost/standin/python:3.13. docs/image.md says what it cannot prove.
set -euo pipefail
name=localhost/standin/python:3.13
root=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v mmdebstrap >/dev/null; then
  echo "tools/image/standin.sh: expected mmdebstrap; apt-get install mmdebstrap" >&2
  exit 1
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Like the official slim image, it has ca-certificates, netbase and tzdata beside Python.
mmdebstrap --quiet --variant=minbase --include=ca-certificates,netbase,tzdata,python3,python3-venv \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='ln -s /usr/bin/python3 "$1/usr/local/bin/python3"; ln -s /usr/bin/python3 "$1/usr/local/bin/python"' \
  --customize-hook='find "$1/usr/lib" -name __pycache__ -prune -exec rm -r {} +' \
  trixie "$scratch/base.tar"
cd "$root"
python3 - "$name" "$scratch/base.tar" <<'PYTHON'
import sys
from tools.image.engine import find_engine

name, archive = sys.argv[1:]
settings = ["ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "ENV LANG=C.UTF-8", 'CMD ["python3"]']
find_engine().ask("import", *(f"--change={setting}" for setting in settings), archive, name)
print(f"made {name}")
PYTHON
