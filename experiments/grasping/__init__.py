"""Grasp success of the hands over objects, masses and friction."""
