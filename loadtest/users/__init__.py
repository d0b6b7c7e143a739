"""Locust's users: when they ask is locust's matter, how they ask is `loadtest.asking`'s."""
