"""What does it look like? Registries on this machine, and images to move between them."""
