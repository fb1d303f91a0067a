"""Who may do what? Roles, tokens and sessions, and the secrets that nobody sees again."""
