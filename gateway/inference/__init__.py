"""Triton's model `diagnose`, on however many addresses: whom to ask, when not to ask, and what the answers mean."""
