"""Vendors' registries, played on the embedded one: their tokens, their own APIs, their oddities."""
