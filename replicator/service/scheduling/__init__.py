"""When is it done? And what a service does from time to time, from its start to its end."""
