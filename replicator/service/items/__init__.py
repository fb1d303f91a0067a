"""How is one run divided among processes? From a run to its items, and back to one report."""
