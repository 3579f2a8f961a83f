#!/bin/sh
# In Lambda: the runtime client. Elsewhere: the same under AWS's emulator, if it is mounted or part of the base (AWS's own).
set -eu
emulator=/usr/local/bin/aws-lambda-rie
if [ -n "${AWS_LAMBDA_RUNTIME_API:-}" ]; then
  exec python -m awslambdaric "$@"
elif [ -x "$emulator" ]; then
  exec "$emulator" python -m awslambdaric "$@"
fi
echo "segment-scorer: expected AWS_LAMBDA_RUNTIME_API, which Lambda sets, or AWS's runtime interface emulator at $emulator; see docs/image.md" >&2
exit 1
