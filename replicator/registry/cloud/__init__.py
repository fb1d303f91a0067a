"""Logins from the clouds' own Python libraries, each an optional dependency; one file a cloud."""
