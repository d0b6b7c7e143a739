"""What clients report of themselves, counted and not kept."""
