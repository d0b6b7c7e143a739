"""What expires is removed: idempotency keys, rate limits that say nothing any more, photos."""
