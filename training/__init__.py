"""Train, export, calibrate; nothing here is needed to serve."""
