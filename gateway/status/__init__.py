"""What a signed-in user may know of how the service is doing."""
