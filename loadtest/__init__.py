"""Load on a running Frond, and what it withstands."""
