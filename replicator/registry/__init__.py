"""How do I speak to one registry? The only folder that knows HTTP."""
