"""What do people see and do in a browser? Five screens, of which each is a route and a template."""
