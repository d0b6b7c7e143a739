"""`frond trace`: one request followed through every part, as a picture."""
