"""What the idempotency table costs as it grows: claim, completion, replay, cleanup and room, at 10,000 to 10 M rows."""
