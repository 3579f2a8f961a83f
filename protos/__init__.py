"""The Open Inference Protocol over gRPC: definition, generated stubs, tensors, TLS files."""
