"""How do people ask? Thin commands."""
