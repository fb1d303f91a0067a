"""Vendors' own APIs, each against a fake of its registry."""
