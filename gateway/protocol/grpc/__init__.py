"""The protocol over gRPC, on a port of its own."""
