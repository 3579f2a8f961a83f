"""The scoring service: a bundle served over gRPC with the Open Inference Protocol.

Imports `model` and `protos` only.
"""
