"""Runs episodes and measures them."""
