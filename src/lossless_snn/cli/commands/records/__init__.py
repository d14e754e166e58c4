"""How results came about, and whether they stand."""
