"""The web console: static pages that use the same API as every client."""
