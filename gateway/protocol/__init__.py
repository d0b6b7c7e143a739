"""The Open Inference Protocol (KServe's version 2): Triton's models for who brings tensors of their own.

`service` is the data plane and knows no transport; `rest` and `grpc` are the two ways to it, with equal file names.
"""
