"""Fingerprints of what code means: namespaces of a package, syntax as text, what a command starts from."""
