"""What an evil registry may try, and a sinkhole that must not hear of it."""
