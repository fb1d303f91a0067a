"""What is there? Asked of the ledger and of registries, by the cheapest way that answers."""
