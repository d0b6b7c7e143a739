"""Courses of load, each with what it must show: `python -m loadtest.scenarios NAME`."""
