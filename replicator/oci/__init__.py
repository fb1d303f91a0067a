"""What is this content? Digests, descriptors, manifests and references; no input or output."""
