"""The Open Inference Protocol over gRPC: `open_inference.proto`, its generated stubs, tensors, TLS."""
