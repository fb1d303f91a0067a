"""Who does it, and when? Brings planning, transfer and the store together."""
