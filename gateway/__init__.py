"""Frond's HTTP service: identity, idempotency and limits in front of Triton."""
