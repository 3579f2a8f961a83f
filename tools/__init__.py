"""What only a clone can use: building images, releasing, benchmarks, lock files, gRPC stubs."""
