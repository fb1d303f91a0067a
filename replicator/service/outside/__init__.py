"""What does a run need from outside? From the store, from registries and from the transfer."""
