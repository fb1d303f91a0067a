"""How does one image move? Graphs, blobs in flight, and the order in which things are written."""
