"""What becomes of one rule? A run of it, down to each tag."""
