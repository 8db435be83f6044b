"""What a deployment needs and how fast it can be, worked out before anything runs."""
