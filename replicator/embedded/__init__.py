"""A small registry server, for the demo, for tests, and for trying things out."""
