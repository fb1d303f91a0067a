"""What do programs ask, and what are they told? Version 1 of the REST API."""
