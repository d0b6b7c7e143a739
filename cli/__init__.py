"""The `frond` command."""
