"""How do processes share work? Who has what, until when, and how they learn of it."""
