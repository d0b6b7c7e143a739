"""Frond's client package: so far the wire contract; the client itself follows."""
