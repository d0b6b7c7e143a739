"""Throughput against instances, gateways and cores; what a request costs; and the capacity model held to both."""
