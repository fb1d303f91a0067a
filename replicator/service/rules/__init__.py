"""Which rules are there? And how each of them is doing."""
