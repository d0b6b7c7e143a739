"""One request of each kind that users send, as a coroutine: locust's users and the open loop ask with the same code."""
