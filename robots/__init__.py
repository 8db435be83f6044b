"""Bodies: one folder a robot, and the mock that serves the tests."""
