"""Requests that come when they come, whether the earlier ones are answered or not: `python -m loadtest.open_loop`."""
