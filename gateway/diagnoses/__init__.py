"""`POST /v1/ai-inference`: photos in, one diagnosis out, once for each idempotency key."""
