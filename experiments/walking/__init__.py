"""How well the G1 walks, stands, and knows where it is."""
