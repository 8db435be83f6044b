"""Walking to places: where the robot is, what stands in the way, which way round it, and how fast to go now."""
