"""How long a computation takes: measured here, published elsewhere, or estimated from what hardware can do."""
