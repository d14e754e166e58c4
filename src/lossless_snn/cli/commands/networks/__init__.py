"""Data sets and trained networks."""
