"""One module a table, for programs and for people."""
