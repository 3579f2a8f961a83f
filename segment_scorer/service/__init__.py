"""The scoring service: Open Inference over gRPC, over a bundle. Imports `model` and `protos`, never `function`."""
