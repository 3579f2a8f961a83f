"""The scoring service: a bundle served over gRPC with the Open Inference Protocol.

Imports `model` and `protos` only.
"""

import os

# gRPC's core would write lines of its own about failed handshakes to stderr, where the service's
# log is JSON lines. gRPC reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
