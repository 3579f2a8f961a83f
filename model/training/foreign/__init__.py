"""Bundles of models that somebody else trained: read, converted to ONNX, compared, judged."""
