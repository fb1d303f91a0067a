"""How do programs ask? Health and metrics over HTTP."""
