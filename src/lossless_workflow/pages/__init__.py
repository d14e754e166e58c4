"""README and documentation site: what of them is made from results/, from the rules and from docstrings."""
