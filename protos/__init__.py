"""The Open Inference Protocol over gRPC: `open_inference.proto`, what `generate.py` makes of it, and its tensors."""
