"""What do registries tell of themselves? Hints only: a run looks what is really there."""
