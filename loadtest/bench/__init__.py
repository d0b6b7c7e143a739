"""Frond beside what people serve a photo classifier with today: `make bench`, docs/benchmarks.md."""
