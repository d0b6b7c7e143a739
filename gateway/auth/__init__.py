"""Who calls: JSON Web Tokens checked against public keys."""
