"""What should move? Rules, selections, observations and the pure difference between them."""
