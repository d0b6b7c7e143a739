"""The local runtime: PostgreSQL, Triton and the gateway under one supervisor, with their state below `.frond/`."""
