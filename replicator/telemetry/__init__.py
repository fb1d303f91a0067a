"""How is it watched? Logs and progress, from events."""
