"""What do people see? For who may see it."""
