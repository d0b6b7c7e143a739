"""The card of the model that is served, for who wants to know how far to trust it."""
