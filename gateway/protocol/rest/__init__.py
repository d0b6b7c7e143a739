"""The protocol over HTTP: JSON, and tensors as JSON or behind it (the binary data extension)."""
