"""What do we remember? Tables, migrations and every query."""
