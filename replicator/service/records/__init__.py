"""What became of it? For people, for programs, and for the next run."""
