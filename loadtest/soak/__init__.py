"""The stack under steady load for long: does anything grow, does anything break? `python -m loadtest.soak`."""
