"""Keeps container repositories in step between registries."""

__version__ = "0.1.0"
